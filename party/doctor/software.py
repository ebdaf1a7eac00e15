"""Examines the libraries of a party, its processor, and the models of its configuration."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from party.command_line import INSTALLATION, quiet_native_log
from party.diagnosis.finding import Finding, fine, problem
from party.diagnosis.libraries import examine_libraries
from party.doctor.subject import PartySubject

LIBRARIES = ("tensorflow", "keras", "numpy", "pandas", "pyarrow", "grpcio", "protobuf", "cryptography", "gmpy2")
VECTOR_FEATURE = "avx"
VECTOR_MACHINES = frozenset({"x86_64", "amd64"})


def examine_party_libraries(subject: PartySubject) -> Iterator[Finding]:
    """Looks whether all libraries of a party are installed.

    Args:
        subject: the party.

    Yields:
        Problems, and the versions.

    Raises:
        InstallationError: an option needs a library that is not installed.
    """
    configuration = subject.configuration
    options = {"prometheus": configuration.prometheus, "tensorboard": configuration.tensorboard}
    yield from examine_libraries(LIBRARIES, INSTALLATION, options)


def examine_tensorflow(subject: PartySubject) -> Iterator[Finding]:
    """Loads TensorFlow, and builds what the configuration names of Keras and the owner's model.

    Args:
        subject: the party.

    Yields:
        One finding.

    Raises:
        SplitError: the configuration names what cannot be built.
    """
    features = subject.machine.processor_features
    if platform.machine().lower() in VECTOR_MACHINES and features and VECTOR_FEATURE not in features:
        # It would end the process, not raise an error.
        yield problem(
            "the processor lacks AVX, without which TensorFlow ends with an illegal instruction",
            fix="use another machine, or let the virtual machine have the features of its host's processor",
        )
        return
    try:
        with quiet_native_log():
            from party.engine.numerics import configure_tensorflow, numeric_settings  # noqa: PLC0415
            from party.runtime.model_objects import check_objects, check_own_model  # noqa: PLC0415

            configure_tensorflow(subject.configuration.threads)
    except ImportError as error:
        yield problem(f"TensorFlow cannot be loaded ({type(error).__name__})", fix=INSTALLATION)
        return
    check_objects(subject.configuration)
    if not any(subject.problems.values()):
        check_own_model(subject.configuration, subject.tables)
    yield fine(f"TensorFlow {numeric_settings()['tensorflow']} is loaded; the models of the file can be built")
