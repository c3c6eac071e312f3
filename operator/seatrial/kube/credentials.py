"""Server and credentials of a configuration, in words that need no client library: for Kopf's own connections."""

from dataclasses import dataclass
from pathlib import Path

from lightkube.config.kubeconfig import SingleConfig


@dataclass(frozen=True)
class Credentials:
    """Data is base64, as kubeconfigs have it. A path is absolute."""

    server: str
    insecure: bool = False
    ca_path: str | None = None
    ca_data: str | None = None
    token: str | None = None
    username: str | None = None
    password: str | None = None
    certificate_path: str | None = None
    certificate_data: str | None = None
    private_key_path: str | None = None
    private_key_data: str | None = None


def credentials(config: SingleConfig) -> Credentials:
    """Read them anew: a token in a file changes over time."""
    cluster, user = config.cluster, config.user

    def path(name: str | None) -> str | None:
        return str(config.abs_file(name)) if name else None

    token = None
    if user is not None:
        token = Path(user.token_file).read_text(encoding="utf-8").strip() if user.token_file else user.token
    return Credentials(
        server=cluster.server,
        insecure=cluster.insecure,
        ca_path=path(cluster.certificate_auth),
        ca_data=cluster.certificate_auth_data,
        token=token,
        username=user.username if user else None,
        password=user.password if user else None,
        certificate_path=path(user.client_cert) if user else None,
        certificate_data=user.client_cert_data if user else None,
        private_key_path=path(user.client_key) if user else None,
        private_key_data=user.client_key_data if user else None,
    )
