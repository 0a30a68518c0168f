"""What a person pastes into Iterable for a feed of voucher codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from iterable_sync.voucher_feed_command import voucher_feed
from iterable_sync.voucher_feeds import Cluster, VoucherFeed

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

WELCOME = ("--campaign", "Welcome Codes", "--alias", "welcome_codes")
BIRTHDAY = ("--campaign", "Birthday", "--alias", "birthday")
APP = typer.Typer()
APP.command()(voucher_feed)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(APP, list(arguments))


def feeds(*arguments: str) -> list[dict[str, object]]:
    """Give the feeds that are printed as JSON."""
    done = run(*arguments, "--json")
    assert (0, "") == (done.exit_code, done.stderr)
    found: list[dict[str, object]] = json.loads(done.stdout)["feeds"]
    return found


def refusal(*arguments: str) -> str:
    """Give what is said where nothing is printed."""
    done = run(*arguments)
    assert (1, "") == (done.exit_code, done.stdout)
    return str(done.stderr)


@pytest.mark.capability("D6", "D7", "D9", "D10")
def test_the_address_is_exactly_what_iterable_takes() -> None:
    """Handlebars as they are, and the campaign percent-encoded."""
    done = run(*WELCOME)

    assert 0 == done.exit_code
    assert (
        "  URL       https://api.voucherify.io/v1/publications/create"
        "?customer[source_id]={{#urlEncode}}{{source_id}}{{/urlEncode}}"
        "&campaign[name]=Welcome%20Codes\n"
    ) in done.stdout


@pytest.mark.capability("D8")
@pytest.mark.parametrize(
    ("cluster", "host"),
    [
        pytest.param("eu", "api.voucherify.io", id="eu"),
        pytest.param("us1", "us1.api.voucherify.io", id="us1"),
        pytest.param("as1", "as1.api.voucherify.io", id="as1"),
    ],
)
def test_each_cluster_has_its_host(cluster: str, host: str) -> None:
    (feed,) = feeds(*WELCOME, "--cluster", cluster)

    assert str(feed["url"]).startswith(f"https://{host}/v1/publications/create?")


def test_unknown_cluster_is_refused() -> None:
    """None is assumed in its place."""
    done = run(*WELCOME, "--cluster", "us")

    assert 2 == done.exit_code
    assert "https://" not in done.output


@pytest.mark.capability("D10")
@pytest.mark.parametrize(
    ("campaign", "written"),
    [
        pytest.param("Größe & Co", "Gr%C3%B6%C3%9Fe%20%26%20Co", id="letters and an ampersand"),
        pytest.param("50% = half/off?", "50%25%20%3D%20half%2Foff%3F", id="what parts an address"),
        pytest.param("{{email}}", "%7B%7Bemail%7D%7D", id="no Handlebars of its own"),
        pytest.param("a+b#c", "a%2Bb%23c", id="plus and hash"),
    ],
)
def test_any_name_of_a_campaign_is_one_value(campaign: str, written: str) -> None:
    assert VoucherFeed(campaign, "a").url.endswith(f"&campaign[name]={written}")


@pytest.mark.capability("D12", "D13")
def test_templates_get_the_code_and_its_metadata_by_the_alias() -> None:
    done = run(*WELCOME)

    assert "  Code      [[welcome_codes.voucher.code]]\n" in done.stdout
    assert "  Metadata  [[welcome_codes.voucher.metadata.marketing_text]]\n" in done.stdout


@pytest.mark.capability("D11", "D12")
def test_each_campaign_is_a_feed_with_its_alias() -> None:
    """In the order in which they are given."""
    first, second = feeds(*WELCOME, *BIRTHDAY)

    assert ("welcome_codes", "Welcome Codes") == (first["alias"], first["campaign"])
    assert ("birthday", "Birthday") == (second["alias"], second["campaign"])
    assert "[[birthday.voucher.code]]" == second["code"]
    assert ["X-App-Id", "X-App-Token"] == second["headers"]


@pytest.mark.capability("D11")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(
            (*WELCOME, "--campaign", "Other", "--alias", "welcome_codes"),
            "alias 'welcome_codes' comes twice",
            id="alias twice",
        ),
        pytest.param(
            (*WELCOME, "--campaign", "Other", "--alias", "Welcome_Codes"),
            "alias 'welcome_codes' comes twice",
            id="alias twice but for capitals",
        ),
        pytest.param(
            (*WELCOME, "--campaign", "Welcome Codes", "--alias", "other"),
            "campaign 'Welcome Codes' comes twice: a feed is of one campaign",
            id="campaign twice",
        ),
        pytest.param((*WELCOME, "--campaign", "Other"), "2 campaigns and 1 aliases", id="no alias"),
        pytest.param((*WELCOME[:3], "welcome-codes"), "alias 'welcome-codes': an", id="hyphen"),
        pytest.param((*WELCOME[:3], "welcome codes"), "alias 'welcome codes': an", id="blank"),
        pytest.param((*WELCOME[:3], "größe"), "alias 'größe': an", id="letter beyond ASCII"),
        pytest.param((*WELCOME[:3], "2024"), "and is no number", id="number"),
        pytest.param((*WELCOME[:3], ""), "alias '': an", id="empty alias"),
        pytest.param(("--campaign", " ", *WELCOME[2:]), "campaign ' ' is blank", id="no name"),
        pytest.param(
            ("--campaign", "a\nb", *WELCOME[2:]), "characters that are not printable", id="line"
        ),
        pytest.param(
            (*WELCOME, "--customer-field", "a}}b"), "'a}}b' is no name of a field", id="field"
        ),
    ],
)
def test_feeds_that_would_not_work_are_refused(arguments: tuple[str, ...], says: str) -> None:
    """Nothing is printed that somebody could paste."""
    assert says in refusal(*arguments)


@pytest.mark.parametrize("alias", ["welcome_codes", "_a", "A1", "2024_codes"])
def test_alias_has_letters_digits_and_underscores(alias: str) -> None:
    assert alias == feeds(*WELCOME[:3], alias)[0]["alias"]


@pytest.mark.capability("D9")
def test_the_field_of_the_customer_can_be_another() -> None:
    """Of the profile; Voucherify's own name stays."""
    (feed,) = feeds(*WELCOME, "--customer-field", "voucherify.id")

    assert (
        "customer[source_id]={{#urlEncode}}{{voucherify.id}}{{/urlEncode}}&"
        in VoucherFeed("A", "a", Cluster.EU, "voucherify.id").url
    )
    assert "voucherify.id" == feed["profile_field"]


@pytest.mark.capability("D9")
def test_the_field_has_to_be_on_the_profile(tmp_path: Path) -> None:
    """A request without a customer gets no code: the model of users is looked at."""
    model = tmp_path / "users.sql"
    model.write_text('SELECT user_id, user_id AS "source_id", plan AS "voucherify__id" FROM users')

    assert feeds(*WELCOME, "--model", str(model))
    assert feeds(*WELCOME, "--model", str(model), "--customer-field", "voucherify.id")
    assert feeds(*WELCOME, "--profile-fields", "email, source_id")
    assert feeds(*WELCOME, "--profile-fields", "city", "--customer-field", "userId")
    assert feeds(*WELCOME, "--model", "models/users.sql", "--customer-field", "firstName")


@pytest.mark.capability("D9")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(
            ("--profile-fields", "email,city"),
            "--profile-fields writes no field 'source_id'",
            id="not among the fields",
        ),
        pytest.param(
            ("--profile-fields", "Source_Id"), "say --customer-field Source_Id", id="capitals"
        ),
        pytest.param(
            ("--model", "models/orders.sql"),
            'write e.g. user_id AS "source_id" into the model of users',
            id="not in a model",
        ),
        pytest.param(("--model", "models/none.sql"), "no model 'models/none.sql'", id="no file"),
        pytest.param(("--model", "DELETE FROM users"), "a model only reads", id="no query"),
        pytest.param(
            ("--model", "SELECT * FROM users"), "not every column has a name", id="a star"
        ),
    ],
)
def test_field_that_nothing_writes_is_refused(arguments: tuple[str, ...], says: str) -> None:
    """With what can be done about it."""
    assert says in refusal(*WELCOME, *arguments)


@pytest.mark.capability("D6")
def test_the_headers_are_named_and_no_key_is_asked_for() -> None:
    """Keys go from Voucherify into Iterable, by hand, and never through a shell."""
    done = run(*WELCOME)
    options = run("--help").stdout

    assert "X-App-Id: the Application ID of the integration keys" in done.stdout
    assert "X-App-Token: the Secret Key of the integration keys" in done.stdout
    assert "role User and the integration Iterable" in done.stdout
    assert "15 minutes" in done.stdout
    assert not any(word in options.lower() for word in ("secret", "token", "api-key", "app-id"))


def test_what_a_send_does_is_said() -> None:
    """Each one is a request, and one that fails is no send."""
    stdout = run(*WELCOME).stdout

    assert "a message that is sent again does so again" in stdout
    assert "skips the send of that recipient (DataFeedError)" in stdout
    assert "a cached answer is one code for all recipients" in stdout


def test_the_command_is_installed() -> None:
    from importlib.metadata import entry_points

    from iterable_sync import cli

    (found,) = entry_points(group=cli.GROUP, name="voucher-feed")

    assert found.load() is voucher_feed
