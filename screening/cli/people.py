"""`flask people`: add, list and change those who sign in. Admins can do so in the browser."""

import click
from flask_security import hash_password

from screening.cli.common import commands, current_actor, on_a_ready_installation
from screening.extensions import db
from screening.installation import current_installation
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
    settings = current_installation().settings
    password = service.one_time_password()
    hashed = hash_password(password)
    added = service.add(
        current_actor(),
        sign_in_name,
        full_name,
        roles,
        hashed,
        hours=settings.one_time_hours,
        only_if_none=if_none,
    )
    if added:
        address = f"{settings.public_url}/account/sign-in"
        click.echo(
            f"First sign-in at {address}: name {sign_in_name}, password {password} "
            f"(to be changed there; ends in {settings.one_time_hours} hours)"
        )
    elif (person := service.find(db.session, sign_in_name)) and person.password_is_one_time:
        command = as_called(f"flask people reset-password {sign_in_name}")
        click.echo(
            f"{sign_in_name} has not signed in yet. "
            f"If the password that was printed is lost or has ended: {command}"
        )


@people.command("list")
@on_a_ready_installation()
def people_list() -> None:
    """Print all who may sign in."""
    for person in service.everyone(db.session):
        words = [person.role_names]
        if not person.active:
            words.append("disabled")
        if person.has_second_factor:
            words.append("second factor")
        elif person.totp_required:
            words.append("second factor due")
        click.echo(f"{person.sign_in_name}\t{person.full_name}\t{', '.join(filter(None, words))}")


@on_a_ready_installation()
def _change(sign_in_name: str, **changes: object) -> None:
    service.change(current_actor(), sign_in_name, **changes)  # type: ignore[arg-type]


@people.command("disable")
@click.argument("sign_in_name")
def people_disable(sign_in_name: str) -> None:
    """Disable a person. Their sign-ins end at the next request."""
    _change(sign_in_name, active=False)


@people.command("enable")
@click.argument("sign_in_name")
def people_enable(sign_in_name: str) -> None:
    """Enable a person who was disabled."""
    _change(sign_in_name, active=True)


@people.command("reset-password")
@click.argument("sign_in_name")
def people_reset_password(sign_in_name: str) -> None:
    """Print a new one-time password. The second factor is deleted too, and all sign-ins end."""
    password = service.one_time_password()
    hours = current_installation().settings.one_time_hours
    _change(sign_in_name, hashed=hash_password(password), hours=hours)
    click.echo(f"One-time password of {sign_in_name}: {password} (ends in {hours} hours)")


@people.command("require-totp")
@click.argument("sign_in_name")
@click.option("--off", is_flag=True, help="Do not require it any more.")
def people_require_totp(sign_in_name: str, off: bool) -> None:
    """Require a code from an authenticator app at each sign-in."""
    _change(sign_in_name, totp_required=not off)
