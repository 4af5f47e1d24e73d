"""How to check everything: `nox` runs lint, typing, tests and docs; `nox -l` lists all.

What is tested, typed and documented is the built wheel, installed; never the checkout.
"""

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2026.10"
nox.options.sessions = ["lint", "typing", "tests", "docs"]
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_external_run = True
# A Python that is not here is skipped with a notice, on a CI machine too, and none is fetched.
# A shim that cannot run is not here.
nox.options.error_on_missing_interpreters = False
nox.options.download_python = "never"

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PYPROJECT)  # the classifiers are the one list

RUFF = "ruff==0.17.*"  # a new minor brings new rules, which `ALL` would take in unseen
PRISM = "@stoplight/prism-cli@5"
PEERS = ("retell-sdk", "vapi_server_sdk", "twilio", "livekit-api")
DOCS = Path("docs")


def wheel_folder(session: nox.Session) -> Path:
    """Where the session `wheel` leaves the one wheel of this run."""
    return Path(session.cache_dir, "wheel").resolve()


def install_wheel(session: nox.Session, *extras: str, also: tuple[str, ...] = ()) -> None:
    """Install the built wheel with extras, and what the session needs besides."""
    (wheel,) = wheel_folder(session).glob("*.whl")
    session.install(f"hamsa-async[{','.join(extras)}] @ {wheel.as_uri()}", *also)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style (ruff), format (ruff) and layers (import-linter)."""
    session.install(RUFF, "import-linter>=2.5")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel that the other sessions install."""
    folder = wheel_folder(session)
    shutil.rmtree(folder, ignore_errors=True)
    session.install("build>=1.2")
    session.run("python", "-m", "build", "--wheel", "--outdir", str(folder), silent=True)


@nox.session(requires=["wheel"])
def typing(session: nox.Session) -> None:
    """Check types (mypy), and that every public type is known (pyright)."""
    install_wheel(
        session, "all", "test", also=("mypy>=1.18", "nox>=2026.10", "pyright[nodejs]>=1.1.400")
    )
    session.run("mypy")
    # From elsewhere, so that it reads what is installed.
    session.chdir(session.create_tmp())
    session.run("pyright", "--verifytypes", "hamsa_async", "--ignoreexternal")


@nox.session(python=PYTHONS, requires=["wheel"])
def tests(session: nox.Session) -> None:
    """Run the test suite on every Python that is here, all but the slow tests."""
    install_wheel(session, "all", "test")
    session.run("python", "-Im", "pytest", *session.posargs)


@nox.session(requires=["wheel"])
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning or a dead reference fails."""
    install_wheel(session, "all", "docs")
    output = DOCS / "_build"
    shutil.rmtree(output, ignore_errors=True)
    session.run("sphinx-build", "-W", "-n", "--keep-going", "-q", str(DOCS), str(output / "html"))
    session.log(f"the pages are in {output / 'html'}")


@nox.session(requires=["wheel"])
def crash(session: nox.Session) -> None:
    """Run the slow tests: soaks, and processes that are killed again and again."""
    install_wheel(session, "all", "test")
    session.run("python", "-Im", "pytest", "-m", "slow", *session.posargs)


@nox.session(requires=["wheel"])
def soak(session: nox.Session) -> None:
    """Dial 20,000 contacts under faults and kills, and steer beside two dialers; some 15 minutes.

    Both print their report, and fail where somebody rang twice or anything is lost.
    """
    install_wheel(session, "all")
    session.run("python", "tests/crash/soak.py", *session.posargs)
    session.run("python", "tests/crash/beside.py")


@nox.session(requires=["wheel"])
def bench(session: nox.Session) -> None:
    """Measure a call, a campaign, what holds up its loop, the import, commands and lists."""
    install_wheel(session, "all")
    for name in ("call", "campaign"):
        session.run("python", f"tests/benchmarks/{name}.py", *session.posargs)
    session.run("python", "tests/benchmarks/long_campaign.py")
    session.run("python", "tests/benchmarks/held.py")
    session.run("python", "tests/benchmarks/imports.py")
    session.run("python", "tests/benchmarks/commands.py")
    session.install("xlsxwriter>=3.2")
    session.run("python", "tests/benchmarks/lists.py")


@nox.session(requires=["wheel"])
def bench_peers(session: nox.Session) -> None:
    """Measure a call against other vendors' SDKs, as they are on PyPI today."""
    install_wheel(session, "speed")
    folder = Path(session.create_tmp()).resolve()
    for peer in PEERS:  # apart: they do not agree on a pydantic
        shutil.rmtree(folder / peer, ignore_errors=True)
        session.install("--target", str(folder / peer), peer)
    session.run("python", "tests/benchmarks/peers.py", "--peers", str(folder), *session.posargs)


@nox.session(requires=["wheel"])
def contract(session: nox.Session) -> None:
    """Hold the client against Prism, and FakeHamsa against schemathesis; needs Node's npm."""
    install_wheel(session, "all", "test", also=("schemathesis>=4.0",))
    folder = Path(session.create_tmp()).resolve()
    session.run(
        "npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", PRISM, external=True
    )
    prism = folder / "node_modules" / ".bin" / "prism"
    session.run(
        "python",
        "-Im",
        "pytest",
        "-m",
        "contract",
        *session.posargs,
        env={"HAMSA_PRISM": str(prism)},
    )
