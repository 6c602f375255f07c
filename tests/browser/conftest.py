"""A headless Chromium from the system, shut off from everything but files."""

import os
from pathlib import Path

import pytest

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
]


def pytest_collection_modifyitems(items):
    reason = ""
    if not Path(CHROMIUM).exists():
        reason = f"no Chromium at {CHROMIUM}; install one or set CHROMIUM to its path"
    try:
        import pytest_playwright  # noqa: F401
    except ImportError:
        reason = "pytest-playwright is not installed"
    for item in items:
        if reason and item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": ARGS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    return {**browser_context_args, "viewport": {"width": 1100, "height": 1000}}


def guard(context, inside=("file:", "data:", "blob:")):
    """Abort and record every request to the outside, and record what the page complains of."""
    complaints = []

    def gate(route):
        if route.request.url.startswith(inside):
            route.continue_()
            return
        complaints.append(f"outside request: {route.request.url}")
        route.abort()

    def watch(page):
        page.on("pageerror", lambda error: complaints.append(f"page error: {error}"))
        page.on(
            "console",
            lambda line: line.type == "error" and complaints.append(f"console: {line.text}"),
        )

    context.route("**/*", gate)
    context.on("page", watch)
    return complaints


@pytest.fixture(name="guard")
def guard_fixture():
    """For tests whose pages may talk to a server on this machine."""
    return guard


@pytest.fixture
def offline(context):
    """A context that has no network, and fails the test if its pages try or complain."""
    complaints = guard(context)
    yield context
    assert not complaints, complaints


@pytest.fixture
def scriptless(browser):
    """The same without JavaScript."""
    context = browser.new_context(
        java_script_enabled=False, viewport={"width": 1100, "height": 1000}
    )
    complaints = guard(context)
    yield context
    context.close()
    assert not complaints, complaints
