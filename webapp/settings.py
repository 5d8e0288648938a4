"""Django's settings; whatever varies between instances comes from `env.py`."""

from __future__ import annotations

import errno
import secrets
import sys
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, urlsplit

import dj_database_url

from notices import key_file
from webapp.env import BadSettings, is_json_wanted, load


def _refuse(lines: object) -> NoReturn:
    """Print which settings are wrong, and exit with code 2."""
    if is_json_wanted():
        words = "Storykeep cannot start; a setting is wrong:"
        _leave_with_json(*(f"{words} {line}" for line in str(lines).splitlines()), code=2)
    sys.stderr.write(f"Storykeep cannot start; these settings are wrong:\n\n{lines}\n\n")
    sys.exit(2)


def _leave_with_json(*lines: str, code: int) -> NoReturn:
    from webapp import log_format  # it is not needed where nothing is wrong

    log_format.write_refusal(__name__, lines)
    sys.exit(code)


try:
    STORYKEEP = load()
except BadSettings as error:
    _refuse(error)

BASE_DIR = Path(__file__).resolve().parent.parent
# A diagnosis only reads. In a folder named wrongly it would otherwise make a key and an empty
# database, and find both in order.
_READ_ONLY = sys.argv[1:2] == ["diagnose"]


_PASSING = {errno.EIO, errno.ESTALE, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE}
"""What a disk says that may be well again in a moment."""


def _load_or_create_secret(path: Path) -> str:
    """The key in a file, made on first use. Safe when several processes start at once."""
    try:
        if _READ_ONLY and not path.exists():
            return secrets.token_urlsafe(50)
        if not _READ_ONLY:
            key_file.remove_begun(path)
        if not path.exists():
            key_file.make(path, lambda: secrets.token_urlsafe(50))
        key = path.read_text().strip()
    except OSError as error:
        line = f"STORYKEEP_DATA_DIR: {path.parent} cannot be used ({error.strerror})"
        if error.errno in _PASSING:  # with code 1: a later start may work
            if is_json_wanted():
                _leave_with_json(f"Storykeep cannot start now: {line}", code=1)
            sys.exit(f"Storykeep cannot start now: {line}")
        _refuse(line)
    if len(key) < 32:
        _refuse(f"STORYKEEP_DATA_DIR: {path} holds no usable key; remove it to have one made")
    return key


SECRET_KEY = (
    STORYKEEP.secret_key.get_secret_value()
    if STORYKEEP.secret_key
    else _load_or_create_secret(STORYKEEP.data_dir / "secret-key")
)
DEBUG = False

_public = urlsplit(STORYKEEP.public_url or "")
_host = f"[{_public.hostname}]" if ":" in (_public.hostname or "") else _public.hostname
# Without a public address the app is reached by whatever name the network gives this machine;
# nothing it sends out is built from the Host header.
ALLOWED_HOSTS = [_host, "localhost", "127.0.0.1", "[::1]"] if _host else ["*"]
_origin = STORYKEEP.absolute_url("")
CSRF_TRUSTED_ORIGINS = [_origin] if _origin else []
FORCE_SCRIPT_NAME = _public.path or None  # webapp/wsgi.py takes it off the path that arrives
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = LANGUAGE_COOKIE_PATH = _public.path or "/"
SECURE_COOKIES = _public.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = SECURE_COOKIES
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Sent over https only. A month, this host alone: a name at home may have to go back to http.
SECURE_HSTS_SECONDS = 60 * 60 * 24 * 30 if SECURE_COOKIES else 0
# Of `manage.py check --deploy`. W008: the proxy in front redirects to https; a redirect of ours
# would go round in circles behind one that does not say which it was. W005, W021: other names of
# the domain are not ours to decide for.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]
if not SECURE_COOKIES:
    # On plain http at home a browser would send no secure cookie back (W012, W016), and takes no
    # promise of https (W004).
    SILENCED_SYSTEM_CHECKS += ["security.W004", "security.W012", "security.W016"]
if STORYKEEP.trusted_proxies:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

INSTALLED_APPS = [
    "webapp.admin_app.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "ninja",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    # Its tables stay when it is switched off again (accounts/oidc/orphans.py).
    *(["allauth.socialaccount"] if STORYKEEP.oidc_issuer else []),
    "accounts",
    "notices",
    "jobs",
    "webapp",  # for `manage.py up` and webapp/static; it has no models
]

MIDDLEWARE = [
    "webapp.request_times.take_times",
    "webapp.telemetry.trace_requests",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "webapp.middleware.content_security_policy",
    "webapp.middleware.head_as_get",
    "webapp.compression.compress",
    "webapp.middleware.health_probes",
    "webapp.middleware.no_store_when_signed_in",
    "webapp.middleware.reader_time_zone",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    *(["accounts.proxy_signin.sign_in"] if STORYKEEP.remote_user_header else []),
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "webapp.urls"
WSGI_APPLICATION = "webapp.wsgi.application"
CELERY_APP = "webapp.celery.app"
"""What messages are sent through (jobs/queue/broker.py)."""

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "webapp.context.instance",
            ],
        },
    }
]


def _database() -> dict[str, object]:
    url = STORYKEEP.database_url
    config: dict[str, object] = dict(
        dj_database_url.parse(url.get_secret_value())
        if url
        else {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(STORYKEEP.data_dir / "storykeep.sqlite3"),
        }
    )
    if config["ENGINE"] == "django.db.backends.sqlite3":
        if _READ_ONLY:
            config["NAME"] = f"file:{quote(str(config['NAME']))}?mode=rw"
        # IMMEDIATE: a read that turns into a write waits its turn instead of failing at once.
        # The cache is of each connection, and every thread has one; below it is the system's own.
        # What is deleted is overwritten, whatever SQLite was built with.
        # A backup may hold the file for a quarter of a minute. What waits longer is told to come
        # again (webapp/busy.py), well before a proxy gives up or a worker's lease ends. Where
        # people wait, not all of them do so at once (webapp/lock_waits.py).
        config["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
            "PRAGMA cache_size=-512; PRAGMA secure_delete=ON;",
        }
    else:
        options = config.get("OPTIONS")
        # A server that vanished without a word is noticed within half a minute: seconds until the
        # connection has to stand and until silence is looked into, milliseconds until what was sent
        # has to have arrived. webapp/database.py has the limits of a session.
        config["OPTIONS"] = {
            "connect_timeout": 5,
            "keepalives": 1,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
            **(options if isinstance(options, dict) else {}),
        }
    return config | {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
CSRF_FAILURE_VIEW = "webapp.error_pages.csrf_failure"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

# Sign-in is django-allauth's work, on pages of ours (accounts/signin.py). The limits on guessing
# are its own: ten wrong passwords a minute from one address, five in five minutes for one name.
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ALLAUTH_TRUSTED_PROXY_COUNT = STORYKEEP.trusted_proxies
# One address, which counts once its owner has shown that mail to it arrives. What is said to
# whoever asks for a link must not tell whether anybody here has that address.
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_PREVENT_ENUMERATION = "strict"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS = 1
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
# Links for a new password and passkeys cannot be guessed. A limit by address would only let whoever
# tries keep those out who have the right one, behind the same router.
ACCOUNT_RATE_LIMITS = {"reset_password": "10/m/ip,3/h/key", "reset_password_from_key": None}  # nosec B105  # rates
MFA_RATE_LIMITS = {"webauthn_login": None}
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "accounts.reset_tokens.ResetTokenGenerator"  # noqa: S105  # nosec B105  # a path
ACCOUNT_FORMS = {
    "change_password": "accounts.passwords.ChangedPasswordForm",  # nosec B105  # a path
    "reset_password": "accounts.passwords.ForgottenPasswordForm",  # nosec B105  # a path
    "reset_password_from_key": "accounts.passwords.NewPasswordForm",  # nosec B105  # a path
}
SOCIALACCOUNT_ADAPTER = "accounts.oidc.adapter.ProviderAdapter"
MFA_ADAPTER = "accounts.adapters.SecondFactorAdapter"
MFA_FORMS = {
    "authenticate": "accounts.totp.SecondStepForm",
    "reauthenticate": "accounts.totp.ConfirmForm",
    "login_webauthn": "accounts.passkeys.SignInForm",
    "authenticate_webauthn": "accounts.passkeys.SecondStepForm",
    "reauthenticate_webauthn": "accounts.passkeys.ConfirmForm",
    "add_webauthn": "accounts.passkeys.AddForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = "Storykeep"
MFA_TOTP_TOLERANCE = 1  # a phone's clock may be half a minute off
# Wrong attempts are counted here: in Redis, and while that is away in memory, which must hold more
# than an attacker can push out of it in five minutes.
CACHES = {
    "default": {
        "BACKEND": "webapp.attempts_cache.AttemptsCache",
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    }
}

EMAIL_BACKEND = "accounts.mail.SmtpBackend"
if STORYKEEP.mail:
    EMAIL_HOST, EMAIL_PORT = STORYKEEP.mail.host, STORYKEEP.mail.port
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = STORYKEEP.mail.user, STORYKEEP.mail.password
    EMAIL_USE_TLS, EMAIL_USE_SSL = STORYKEEP.mail.starttls, STORYKEEP.mail.tls
    EMAIL_TIMEOUT = 20
    DEFAULT_FROM_EMAIL = STORYKEEP.email_from

LANGUAGE_CODE = "en"
# Those of which every word is there: Django speaks many more, but half a page helps nobody.
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("es", "Español"), ("fr", "Français")]
USE_I18N = True
USE_TZ = True
# Of names, ZIPs and admin pages; a reader whose browser names its own zone sees that one.
TIME_ZONE = STORYKEEP.zone_name
FORMAT_MODULE_PATH = ["webapp.formats"]
LOCALE_PATHS = [BASE_DIR / "locale"]

STATIC_URL = f"{_public.path}/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 512 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

_library_level = "DEBUG" if STORYKEEP.log_level == "DEBUG" else "WARNING"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
        "json": {"()": "webapp.log_format.JsonLines"},
    },
    "filters": {"no_secret_paths": {"()": "webapp.secret_paths.NoSecretPaths"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": STORYKEEP.log_format}},
    "root": {"handlers": ["stderr"], "level": STORYKEEP.log_level},
    "loggers": {
        # They log whole URLs, and ours are signed: warnings only.
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        # Someone pasted too much: not an error of this instance. error_pages.py logs a line.
        "django.security.RequestDataTooBig": {"level": "CRITICAL"},
        "django.security.TooManyFieldsSent": {"level": "CRITICAL"},
        # Whoever scans the network sends hosts of all kinds; the answer is a plain 400.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        # It would repeat what a stranger sent as Origin or Referer; error_pages.py logs a line.
        "django.security.csrf": {"level": "CRITICAL"},
        "django.request": {"filters": ["no_secret_paths"]},
        # Two lines for every task and one for every tick of the clock; ours say what was done.
        "celery.app.trace": {"level": _library_level},
        "celery.worker.strategy": {"level": _library_level},
    },
}
