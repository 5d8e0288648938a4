# `make run` starts Storykeep, `make test` tests it. Nothing is installed outside .venv.

.DEFAULT_GOAL := help
.PHONY: messages help run demo test test-more stores engines test-postgres chaos bench fuzz attack audit survival smoke compose-test \
  shots check format lock sbom clean

VENV ?= .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest -q -n 2
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Tests start hundreds of Python processes: without bytecode on disk each compiles everything anew.
export PYTHONDONTWRITEBYTECODE =

help: ## What can be made
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-22s %s\n", $$1, $$2}'

run: $(VENV)/base.ok ## Start everything: web server, worker and Redis
	@exec $(BIN)/python manage.py up

demo: $(VENV)/base.ok ## The same against a make-believe TikTok, without any network
	@exec $(BIN)/python -m tests.demo

# The queue and the main path through a browser are what must never break; the rest of what needs
# whole processes is apart. So are the browser's tests: what drives it keeps an event loop running.
QUEUE := tests/integration/test_queue.py
MAIN_PATH := tests/browser/test_main_path.py

# Not before each commit: many samples of one thing, what starts processes or waits for clocks, and
# what goes through a server of its own. `make test` from nothing is to take four minutes at most.
THOROUGH := $(addprefix tests/unit/, \
  $(addprefix stories/, wire/test_hostile_input.py test_fuzz_targets.py test_rendition_search.py \
  neutral/test_recording.py neutral/test_bodies.py protocol/test_parsing.py test_lookup_identities.py test_completion.py) \
  $(addprefix stories/helper/, test_gallery_dl.py test_process.py test_launcher.py) \
  $(addprefix stories/http/, test_transports.py test_media_transport_network.py test_guard.py) \
  $(addprefix stories/media/, test_strict_decoding.py test_posters.py test_pictures.py test_jpeg_holes.py test_remux.py \
  test_derive.py) \
  $(addprefix accounts/, oidc test_totp.py test_passkeys.py test_throttling.py) \
  $(addprefix jobs/, test_growth.py test_retry_rule.py admin/test_safe_lookups.py admin/test_confirmed_actions.py \
  files/test_bucket.py files/test_bucket_mark.py files/test_stores.py fetching/test_story_rows.py pages/test_truth.py library/test_run.py library/test_sending.py \
  library/test_immich.py) \
  notices/test_delivering.py notices/test_delivering_ways.py \
  $(addprefix webapp/, test_inline.py test_openapi.py test_settings.py test_telemetry.py test_busy.py test_head.py \
  test_setup_restore.py processes/test_supervisor.py processes/test_pulse.py backups/test_restoring.py \
  backups/test_archive.py backups/test_wrapping.py))

test: $(VENV)/dev.ok ## The tests to run before each commit, on SQLite
	@$(PYTEST) --dist loadgroup tests/unit tests/test_house.py tests/test_layers.py $(QUEUE) \
	  $(addprefix --ignore=, $(THOROUGH)) $(ARGS)
	@$(PYTEST) --dist loadgroup $(MAIN_PATH) $(ARGS)

test-more: $(VENV)/dev.ok $(VENV)/stores.ok ## Every other test: more processes, more pages
	@$(PYTEST) -n 3 --dist loadgroup tests/integration $(THOROUGH) --ignore $(QUEUE) $(ARGS)
	@$(PYTEST) --dist worksteal tests/browser --ignore $(MAIN_PATH) $(ARGS)

stores: $(VENV)/dev.ok $(VENV)/stores.ok ## Saved files in a real object store, SeaweedFS (a minute; part of test-more)
	@$(PYTEST) --dist loadgroup tests/integration/test_bucket.py $(ARGS)

engines: $(VENV)/dev.ok ## The main path and the phone's in Chromium, Firefox and WebKit (Debian)
	@$(PYTEST) --dist loadgroup tests/engines $(ARGS)

# What asks no database anything, or not for what it answers.
NOT_POSTGRES := $(addprefix --ignore=tests/, unit/stories unit/fake_tiktok unit/jobs/standalone unit/webapp/server \
  unit/webapp/processes unit/webapp/formats $(addprefix unit/webapp/test_, env.py env_types.py head.py inline.py \
  openapi.py scheduler.py settings.py translations.py wsgi.py) $(addprefix unit/test_, audit.py container.py demo.py \
  dependencies.py docs.py language.py privacy.py shots.py) $(addprefix integration/test_, away_database.py fetch.py fetch_interrupted.py \
  foreign_keys.py foreign_messages.py identity.py reading.py redis_connections.py redis_refuses.py silent_worker.py \
  slow_clients.py slow_mirror.py stop_requests.py web_process.py web_server.py upstream.py browser_way.py \
  browser_hostile.py browser_sidecar.py gallery_dl.py))

test-postgres: $(VENV)/dev.ok ## Unit and integration tests on a throwaway PostgreSQL
	@exec $(BIN)/python -m tests.postgres $(PYTEST) -n 3 --dist loadgroup tests/unit tests/integration $(NOT_POSTGRES) $(ARGS)

chaos: $(VENV)/dev.ok $(VENV)/stores.ok ## Parts killed, hung and starved, and nothing lost (half an hour; ARGS='-m short': two minutes)
	@$(PYTEST) --dist loadgroup tests/chaos $(ARGS)

bench: $(VENV)/dev.ok ## How fast it is beside curl, and what it takes (Linux, ten minutes; ARGS=--quick: three)
	@exec $(BIN)/python -m benchmarks.run $(ARGS)

fuzz: $(VENV)/dev.ok ## Every call of the API with what its schema allows and forbids (two minutes)
	@exec $(BIN)/python -m tests.fuzz $(ARGS)

# The fuzzers run for as long as they are told; each test is bounded by itself.
attack: export ATTACK_SECONDS ?= 30
attack: $(VENV)/dev.ok $(VENV)/attack.ok ## What strangers and hostile files could try (three minutes; ARGS='-m short': one; ATTACK_SECONDS=600: longer)
	@$(PYTEST) --dist loadgroup tests/attack $(ARGS)
	@exec $(BIN)/python -m tests.attack.fuzz --seconds $(ATTACK_SECONDS)

audit: $(VENV)/dev.ok $(VENV)/attack.ok ## What is wrong with the code and the pins, as far as can be told offline (ARGS=--wheels: asks, with uv)
	@exec $(BIN)/python -m tests.audit $(ARGS)

# The short form asks in our own way alone; the whole one fetches gallery-dl, once.
survival: $(VENV)/dev.ok ## What is served, named or wrong when TikTok changes, by way (a quarter of an hour; ARGS=--short: a minute)
	@$(PYTEST) --dist worksteal tests/survival $(if $(findstring --short,$(ARGS)),-m short)
	@exec $(BIN)/python -m tests.survival $(ARGS)

smoke: ## Start an installed copy without the test tools, measure it, stop it
	@$(MAKE) --no-print-directory VENV=build/base build/base/base.ok
	@exec build/base/bin/python -m tests.smoke

compose-test: $(VENV)/dev.ok ## The compose files, unchanged, with a real container engine (some ten minutes, 4 GB; ARGS='--part server')
	@exec $(BIN)/python -m tests.compose $(ARGS)

sbom: ## What an installed copy consists of, with licences and hashes (CycloneDX), into build/sbom.cdx.json
	@$(MAKE) --no-print-directory VENV=build/base build/base/base.ok
	@exec build/base/bin/python -m tools.sbom build/sbom.cdx.json

shots: $(VENV)/dev.ok ## Pictures of every page in every state, into shots/ (ENGINE=firefox or webkit: in that)
	@exec $(BIN)/python -m $(if $(ENGINE),tests.engines.shots $(ENGINE),tests.browser.shots) $(ARGS)

messages: $(VENV)/dev.ok ## Bring the translations in locale/ up to date, and say what they lack
	@exec $(BIN)/python -m tests.catalogue

# Checks look at the code alone, not at anyone's data folder.
check: export STORYKEEP_DATA_DIR = $(abspath $(VENV))/data
check: $(VENV)/dev.ok ## Format, lint, types, layers, migrations
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/ruff check --quiet
	@$(BIN)/mypy
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@STORYKEEP_PUBLIC_URL=https://stories.example.org STORYKEEP_TRUSTED_PROXIES=1 \
	  $(BIN)/python manage.py check --deploy --fail-level WARNING
	@$(BIN)/python -m pytest -q tests/test_house.py tests/test_layers.py

format: $(VENV)/dev.ok ## Put the code into its form
	@$(BIN)/ruff check --quiet --fix-only
	@$(BIN)/ruff format --quiet

lock: ## Pin what pyproject.toml asks for (needs uv)
	@$(LOCK) -o requirements/base.lock
	@$(LOCK) --group dev -c requirements/base.lock -o requirements/dev.lock
	@$(LOCK_GROUP) --group attack -c requirements/dev.lock -o requirements/attack.lock
	@$(LOCK_GROUP) --group stores -c requirements/dev.lock -o requirements/stores.lock
LOCK_GROUP := uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11
LOCK := $(LOCK_GROUP) pyproject.toml

clean: ## Remove what was built; the data folder stays
	@rm -rf $(VENV) staticfiles .staticfiles.lock .mypy_cache .ruff_cache .pytest_cache .hypothesis

# --- the environment ------------------------------------------------------------------------------

# The first Python that is new enough; PY=… chooses another.
PY ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
  "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)

$(VENV)/pip.ok:
	@test -n "$(PY)" || { echo "Storykeep needs Python 3.11 or newer; none found on the PATH." >&2; exit 1; }
	@$(PY) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PY) cannot make virtual environments." >&2; \
	  echo "On Debian or Ubuntu: apt install python3-venv. Elsewhere: make PY=/path/to/python3" >&2; \
	  exit 1; }
	@$(PY) requirements/machine.py
	@mkdir -p $(dir $(VENV))
	@test -x $(BIN)/pip || { echo "Making $(VENV) with $$($(PY) --version) ..."; $(PY) -m venv $(VENV); }
	@touch $@

$(VENV)/%.ok: requirements/%.lock $(VENV)/pip.ok
	@echo "Installing what requirements/$*.lock names, once ..."
	@$(BIN)/python requirements/install.py $<
	@touch $@

.PRECIOUS: $(VENV)/pip.ok
