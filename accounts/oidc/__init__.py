"""Sign-in by an identity provider (OpenID Connect); imported where one is set, but for `configured`
and `urls`."""
