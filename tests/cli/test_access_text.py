"""Who may what, in words."""

from gateway.cli.access_text import operators_table, review_text
from gateway.cli.terminal import show
from tests.cli.test_key_text import KEY

ISSUED = {**KEY, "how": "issued"}
OPERATOR = {
    "name": "ada",
    "is_person": True,
    "roles": ["approver", "author"],
    "signs_for": ["security"],
    "may": [{"permission": "status.read", "last_used": 0.0}, {"permission": "card.read", "last_used": None}],
    "unused": ["card.read"],
    "identified_by": [
        {"how": "declared", "key": "sha256:01234567"},
        {**ISSUED, "expires_at": 86_400.0},
        ISSUED,
        {"how": "oidc", "issuer": "https://id.test", "subject": "ada@x.test"},
    ],
    "last_used": 0.0,
}
APP = {
    "name": "helpdesk",
    "owner": "team",
    "routes": ["desk"],
    "may_force_release": True,
    "identified_by": [ISSUED],
    "last_used_at": 60.0,
}


def printed(capsys, *parts):
    """What is shown, line by line."""
    show(*parts)
    return capsys.readouterr().out.splitlines()


def test_each_way_to_be_known_is_a_line(capsys):
    """With when it ends."""
    lines = printed(capsys, operators_table([OPERATOR]))
    assert [
        "ada person author sha256:01234567 1970-01-01",
        "signs for security abcd1234, issued by ada, until 1970-01-02",
        "abcd1234, issued by ada",
        "ada@x.test at https://id.test",
    ] == [" ".join(line.split()) for line in lines[2:]]


def test_who_is_nobody_in_particular(capsys):
    """Whoever has the admin token, or is on the machine; a service; somebody who cannot be known yet."""
    others = [
        {"name": "operator", "is_person": False, "roles": ["admin"], "identified_by": [{"how": "admin_token"}]},
        {"name": "local", "is_person": True, "roles": ["local"], "identified_by": [{"how": "local"}]},
        {"name": "bot", "is_person": False, "roles": ["service"], "identified_by": []},
    ]
    lines = printed(capsys, operators_table({**OPERATOR, "last_used": None, "signs_for": [], **one} for one in others))
    assert [
        "operator - admin PINION_ADMIN_TOKEN never",
        "local person local being on this machine never",
        "bot service - nothing never",
    ] == [" ".join(line.split()) for line in lines[2:]]


def test_a_review_begins_with_what_is_unused(capsys):
    """Some of it, or all."""
    idle = {**OPERATOR, "name": "bob", "unused": ["status.read", "card.read"], "last_used": None}
    told = {"stale_days": 90, "operators": [idle, OPERATOR], "apps": [APP]}
    lines = [" ".join(line.split()) for line in printed(capsys, *review_text(told))]
    assert ["bob 2 permissions all never", "ada 2 permissions card.read 1970-01-01"] == lines[3:5]
    assert "helpdesk team desk, forcing releases abcd1234, issued by ada 1970-01-01 00:01:00" == lines[-1]


def test_a_review_without_anything_unused_or_any_application(capsys):
    """It begins with the operators, and says who may call."""
    told = {"stale_days": 90, "operators": [{**OPERATOR, "unused": []}], "apps": []}
    lines = printed(capsys, *review_text(told))
    assert ("operators", "none is declared: anyone on this machine may call every route") == (lines[0], lines[-1])


def test_an_application_may_have_no_key_and_every_route(capsys):
    """Nobody can call as it yet."""
    bare = {**APP, "routes": None, "may_force_release": False, "identified_by": [], "last_used_at": None}
    lines = printed(capsys, *review_text({"stale_days": 90, "operators": [], "apps": [bare, {**bare, "routes": []}]}))
    assert ["helpdesk team every route no key never", "helpdesk team no route no key never"] == [
        " ".join(line.split()) for line in lines[-2:]
    ]
