"""Every file of `deploy/` can be read, and names nothing that is not to be there."""

import re

import pytest
import yaml
from click.testing import CliRunner

import gateway
from gateway.cli import main
from tests.deploy.files import DEPLOY, KUBERNETES, ROOT, images

YAML = sorted(DEPLOY.rglob("*.yaml"))
POLICIES = (DEPLOY / "policies", KUBERNETES / "policies")


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.relative_to(DEPLOY).as_posix())
def test_yaml_parses(path):
    """Each document is there, and none is empty."""
    documents = list(yaml.safe_load_all(path.read_text()))
    assert documents
    assert all(documents)


@pytest.mark.parametrize("folder", POLICIES, ids=lambda folder: folder.relative_to(DEPLOY).as_posix())
def test_policies_are_acceptable(folder):
    """`pinion check` has no problem with either set."""
    result = CliRunner().invoke(main, ["check", str(folder)])
    assert 0 == result.exit_code, result.output


def test_images_are_named_by_a_version_alone():
    """No host of a registry, no digest, and nothing that floats."""
    for image in images():
        name, _, version = image.partition(":")
        assert re.fullmatch(r"[a-z]+(/[a-z]+)?", name), image
        assert re.fullmatch(r"v?\d+(\.\d+)*", version), image


def test_pinions_image_is_of_this_version():
    """What is built from this tree is what runs."""
    mine = {image for image in images() if image.startswith("pinion")}
    assert {f"pinion:{gateway.__version__}"} == mine


def test_the_image_is_not_root_and_is_checked_by_readiness():
    """What compose and Kubernetes do not say, the image does."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "\nUSER 10001:10001\n" in dockerfile
    assert "'/readyz'" in dockerfile


def test_no_key_is_written_down_but_the_one_for_trying_out():
    """Files hold digests of keys; what looks like a secret says that it is none."""
    text = "".join(path.read_text() for path in sorted(DEPLOY.rglob("*")) if path.is_file())
    assert [] == re.findall(r"\b(?:sk-|pin_|pio_)\w+", text)
    assert "BEGIN PRIVATE KEY" not in text
