"""The settings of Argo CD: access, notifications and further applications."""

from pydantic import Field

from slipway.documents import Frozen


class SingleSignOn(Frozen):
    """An identity provider that speaks OpenID Connect."""

    url: str = Field(pattern=r"^https://.*[^/]$", description="Where Argo CD itself answers, for the way back.")
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
    deployers: tuple[str, ...] = Field((), description="Groups that may look at models, and deliver them again.")
    viewers: tuple[str, ...] = Field((), description="Groups that may look at everything.")


class Notifications(Frozen):
    """Where Argo CD announces deliveries."""

    webhook: str = Field(pattern=r"^https?://", description="Where failed, degraded, finished deliveries are posted.")


class ApplicationSource(Frozen):
    """A directory of a repository that is delivered to a namespace."""

    repository: str = Field(min_length=1, description="URL of the repository.")
    revision: str = Field("main", min_length=1, description="Branch, tag or commit.")
    path: str = Field(min_length=1, description="The directory.")
    namespace: str = Field(min_length=1, description="Where its objects go.")
    prune: bool = Field(True, description="Whether what is taken out of the directory is taken out of the cluster.")


class ArgoCdSettings(Frozen):
    """Argo CD, which makes the cluster what the manifests' repository says."""

    high_availability: bool = Field(
        False, description="Whether each part survives the loss of a node: three Redis, two of each server."
    )
    destination: str = Field(
        "https://kubernetes.default.svc", description="The cluster that it writes to, as it knows it; its own."
    )
    poll_seconds: int = Field(
        180, ge=10, description="Seconds between two looks at a repository that sends no webhook; Argo CD's default."
    )
    sync_timeout_seconds: int = Field(
        1800,
        ge=60,
        description="Seconds after which a delivery fails whose servers do not get ready; Argo CD itself waits"
        " without end, and takes no other commit of that model meanwhile.",
    )
    credentials: str | None = Field(
        None,
        description="Entry of the secret store with Argo CD's fields for its repository (url, type, password …); none"
        " for a public one.",
    )
    access: Access = Field(default_factory=Access, description="The rights of groups.")
    notifications: Notifications | None = Field(None, description="Where deliveries are announced; nowhere without it.")
    applications: dict[str, ApplicationSource] = Field(
        default_factory=dict, description="What else it delivers, by name: monitoring-stack, feature-store …"
    )
