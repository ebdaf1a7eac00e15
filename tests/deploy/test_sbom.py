"""The bills of materials: documents of CycloneDX that name what the lock files name, and no more."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from deploy import sbom
from party import __version__
from party.errors import ConfigurationError

LOCKS = {image: Path(sbom.__file__).with_name(lock) for image, lock in sbom.LOCKS.items()}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The documents by image, as the command writes them."""
    folder = tmp_path_factory.mktemp("sbom") / "new"
    done = CliRunner().invoke(sbom.main, [str(folder)])
    assert done.exit_code == 0, done.output
    found = {image: (folder / f"splitrain-{image}.cdx.json").read_text() for image in LOCKS}
    assert len(list(folder.iterdir())) == len(found)
    return found


@pytest.mark.parametrize("image", LOCKS)
def test_a_document_has_the_published_schema(written, image):
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(written[image]) is None
    assert "purll" in str(validator.validate_str(written[image].replace('"purl"', '"purll"')))


@pytest.mark.parametrize("image", LOCKS)
def test_it_names_what_the_lock_names_with_all_digests(written, image):
    document = json.loads(written[image])
    lines = LOCKS[image].read_text().splitlines()
    packages = {f"pkg:pypi/{line.split()[0].replace('==', '@')}" for line in lines if "==" in line}
    assert {one["purl"] for one in document["components"]} == {*packages, f"pkg:pypi/splitrain@{__version__}"}
    for one in document["components"]:
        address = PackageURL.from_string(one["purl"])
        assert (address.name, address.version) == (one["name"], one["version"])
    digests = [digest["content"] for one in document["components"] for digest in one.get("hashes", [])]
    assert sorted(digests) == sorted(line.split(":")[1].split()[0] for line in lines if "--hash" in line)
    assert document["metadata"]["component"]["name"] == f"splitrain-{image}"


@pytest.mark.parametrize("image", LOCKS)
def test_the_same_lock_gives_the_same_bytes_and_another_one_another_document(written, image, tmp_path):
    assert sbom.bill_of_materials(image, LOCKS[image]) == written[image]
    assert "timestamp" not in json.loads(written[image])["metadata"]
    lock = tmp_path / "requirements.lock"
    lock.write_text(LOCKS[image].read_text().replace("click==", "clack=="))
    other = json.loads(sbom.bill_of_materials(image, lock))
    assert other["serialNumber"] != json.loads(written[image])["serialNumber"]


def test_a_package_without_a_digest_is_refused(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("click==8.5.1\n")
    with pytest.raises(ConfigurationError, match=r"requirements\.lock: has an entry without a version or digests"):
        sbom.bill_of_materials("party", lock)
