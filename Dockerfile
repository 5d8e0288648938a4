# One image for every role: `up` (all in one, the default), or `up --only web|worker|scheduler|migrate`.
# Another base with Python 3.11+ as python3 can be given: --build-arg BASE=…
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Another package index, where there is one: --build-arg PIP_INDEX_URL=…
ARG PIP_INDEX_URL
WORKDIR /app
COPY requirements/machine.py requirements/
RUN python3 requirements/machine.py
# A network that inspects TLS has an authority of its own: pip trusts what stands in ca.pem, where that
# file is beside this one. It does not get into the image.
COPY requirements/base.lock ca.pe[m] requirements/
# Wheels alone, so no compiler is needed; pip itself is not needed afterwards.
RUN if [ -f requirements/ca.pem ]; then export PIP_CERT=/app/requirements/ca.pem; fi \
 && python3 -m venv /venv \
 && /venv/bin/pip install --quiet --require-hashes --only-binary :all: -r requirements/base.lock \
 && /venv/bin/pip uninstall --quiet --yes pip \
 && rm -rf requirements
COPY manage.py ./
COPY stories stories
COPY accounts accounts
COPY notices notices
COPY jobs jobs
COPY webapp webapp
COPY templates templates
COPY locale locale
# The admin's System page says what is new.
COPY CHANGELOG.md ./
# Static files and byte code are made here: at run time this folder can be read-only.
RUN STORYKEEP_DATA_DIR=/tmp/data /venv/bin/python manage.py collectstatic --noinput --verbosity 0 \
 && /venv/bin/python -c "from webapp.translations import compile_translations as c; c()" \
 && /venv/bin/python -m compileall -q /app /venv/lib \
 && rm -rf /tmp/data

FROM ${BASE}
RUN groupadd --gid 10001 storykeep \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin storykeep \
 && mkdir -p /data /artifacts \
 && chown storykeep:storykeep /data /artifacts \
 && chmod 700 /data /artifacts
COPY --from=build /venv /venv
COPY --from=build /app /app
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    STORYKEEP_DATA_DIR=/data \
    STORYKEEP_ARTIFACT_DIR=/artifacts \
    STORYKEEP_BIND=0.0.0.0
WORKDIR /app
USER 10001:10001
VOLUME ["/data", "/artifacts"]
# /library, where one is mounted and STORYKEEP_LIBRARY_DIR names it: docs/library.md.
EXPOSE 8000
STOPSIGNAL SIGTERM
# What `docker inspect` tells of it. The version is the changelog's (tools/version.py); who publishes
# an image gives the other three: --build-arg REVISION=… SOURCE=… CREATED=…
ARG VERSION=0.1.0
ARG REVISION=
ARG SOURCE=
ARG CREATED=
LABEL org.opencontainers.image.title="Storykeep" \
      org.opencontainers.image.description="Self-hosted, multi-user saver of active public TikTok stories" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.created="${CREATED}"
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os; from urllib.request import urlopen; urlopen('http://127.0.0.1:' + os.environ.get('STORYKEEP_PORT', '8000') + '/health/live', timeout=4)"]
ENTRYPOINT ["python", "manage.py"]
CMD ["up"]
