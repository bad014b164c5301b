"""`flask people`: who may sign in. The same can be done by an admin in the browser."""

import click
from flask_security import hash_password

from screening.cli.common import acting, commands, on_a_ready_installation
from screening.extensions import db
from screening.installation import installation
from screening.services import people as service
from screening.settings import as_called


@commands.group()
def people() -> None:
    """Add, list and change the people who sign in."""


@people.command("add")
@click.argument("sign_in_name")
@click.option(
    "--name", "full_name", default="", help="The name that others read; else the sign-in name."
)
@click.option("--role", "roles", multiple=True, required=True, type=click.Choice(service.ROLES))
@click.option("--if-none", is_flag=True, help="Do nothing where there is anybody already.")
@on_a_ready_installation()
def people_add(sign_in_name: str, full_name: str, roles: tuple[str, ...], if_none: bool) -> None:
    """Add a person and print a password for the first sign-in; it is shown only now."""
    password = service.one_time_password()
    hashed = hash_password(password)
    added = service.add(acting(), sign_in_name, full_name, roles, hashed, only_if_none=if_none)
    if added:
        address = f"{installation().settings.public_url}/account/sign-in"
        click.echo(
            f"First sign-in at {address}: name {sign_in_name}, password {password} (to be changed there)"
        )
    elif (first := service.find(db.session, sign_in_name)) and first.password_is_one_time:
        again = as_called(f"flask people reset-password {sign_in_name}")
        click.echo(
            f"{sign_in_name} has not signed in yet. If the password that was printed is lost: {again}"
        )


@people.command("list")
@on_a_ready_installation()
def people_list() -> None:
    """Print who may sign in."""
    for one in service.everyone(db.session):
        words = [one.role_names, "" if one.active else "disabled"]
        words += [
            "second factor"
            if one.tf_totp_secret
            else "second factor due"
            if one.totp_required
            else ""
        ]
        click.echo(f"{one.sign_in_name}\t{one.full_name}\t{', '.join(filter(None, words))}")


@on_a_ready_installation()
def _change(sign_in_name: str, **changes: object) -> None:
    service.change(acting(), sign_in_name, **changes)  # type: ignore[arg-type]


@people.command("disable")
@click.argument("sign_in_name")
def people_disable(sign_in_name: str) -> None:
    """Let a person sign in no more; whoever is signed in is out at the next request."""
    _change(sign_in_name, active=False)


@people.command("enable")
@click.argument("sign_in_name")
def people_enable(sign_in_name: str) -> None:
    """Let a disabled person sign in again."""
    _change(sign_in_name, active=True)


@people.command("reset-password")
@click.argument("sign_in_name")
def people_reset_password(sign_in_name: str) -> None:
    """Print a new one-time password. The second factor is forgotten too, and all sign-ins end."""
    password = service.one_time_password()
    _change(sign_in_name, hashed=hash_password(password))
    click.echo(f"One-time password of {sign_in_name}: {password}")


@people.command("require-totp")
@click.argument("sign_in_name")
@click.option("--off", is_flag=True, help="Do not require it any more.")
def people_require_totp(sign_in_name: str, off: bool) -> None:
    """Require a code from an authenticator app at each sign-in."""
    _change(sign_in_name, totp_required=not off)
