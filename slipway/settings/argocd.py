"""Settings of Argo CD: access, notifications and further applications."""

from pydantic import Field

from slipway.documents import Frozen


class SingleSignOn(Frozen):
    """An identity provider with OpenID Connect."""

    url: str = Field(pattern=r"^https://.*[^/]$", description="Argo CD's own URL, for the redirect after a login.")
    issuer: str = Field(pattern=r"^https://", description="The provider's issuer URL.")
    client_id: str = Field(min_length=1, description="The provider's id of Argo CD.")
    client_secret: str = Field(
        "$argocd-oidc:clientSecret",
        pattern=r"^\$[a-z0-9.-]+:[A-Za-z0-9._-]+$",
        description="Secret and key that hold the client's secret, as $<secret>:<key>; that Secret must carry the label"
        " app.kubernetes.io/part-of: argocd.",
    )


class Access(Frozen):
    """The rights of groups in Argo CD; a user in no group has none."""

    admin_account: bool = Field(False, description="Whether there is a local account `admin`, beside all groups.")
    single_sign_on: SingleSignOn | None = Field(None, description="The identity provider that users log in with.")
    admins: tuple[str, ...] = Field((), description="Groups that may do everything.")
    deployers: tuple[str, ...] = Field((), description="Groups that may see models and deliver them again.")
    viewers: tuple[str, ...] = Field((), description="Groups that may see everything.")


class Notifications(Frozen):
    """The receiver of Argo CD's announcements."""

    webhook: str = Field(
        pattern=r"^https?://", description="URL that receives failed, degraded and finished deliveries."
    )


class ApplicationSource(Frozen):
    """A directory of a repository that is delivered to a namespace."""

    repository: str = Field(min_length=1, description="URL of the repository.")
    revision: str = Field("main", min_length=1, description="Branch, tag or commit.")
    path: str = Field(min_length=1, description="The directory.")
    namespace: str = Field(min_length=1, description="Where its objects go.")
    prune: bool = Field(True, description="Whether objects removed from the directory are deleted.")


class ArgoCdSettings(Frozen):
    """Argo CD, which applies the manifests' repository to the cluster."""

    high_availability: bool = Field(
        False, description="Whether each part survives the loss of a node: three Redis, two of each server."
    )
    destination: str = Field(
        "https://kubernetes.default.svc", description="Argo CD's name of the target cluster; its own."
    )
    poll_seconds: int = Field(
        180, ge=10, description="Seconds between polls of a repository without a webhook; Argo CD's default."
    )
    sync_timeout_seconds: int = Field(
        1800,
        ge=60,
        description="Seconds after which a delivery fails if its servers are not ready; Argo CD itself would wait"
        " without end, and take no other commit of that model.",
    )
    credentials: str | None = Field(
        None,
        description="Entry of the secret store with Argo CD's fields for its repository (url, type, password …); none"
        " for a public one.",
    )
    access: Access = Field(default_factory=Access, description="The rights of groups.")
    notifications: Notifications | None = Field(None, description="Where deliveries are announced; nowhere without it.")
    applications: dict[str, ApplicationSource] = Field(
        default_factory=dict,
        description="Further directories that it delivers, by name: monitoring-stack, feature-store …",
    )
