"""Screenshots that a test run leaves in build/screenshots, and what each must show."""

import numpy as np
from matplotlib.image import imread

from tests.support.browser import IN_SCHEME
from tests.support.documents import ROOT

FOLDER = ROOT / "build" / "screenshots"
LOOKS = ((1280, "light"), (400, "dark"))  # width in pixels, colour scheme
SECONDS = 10  # in which a page takes the colours of the system
MOST_PIXELS = 8000
MOST_PIXELS_OF_A_ROW = 400  # a higher one is a column that was squeezed
HIGHEST_ROW = "Math.max(0, ...[...document.querySelectorAll('tr')].map((row) => row.clientHeight))"
LEAST_COLOURS = 16  # text alone has that many, as its edges are smooth
STEP = 5  # every fifth pixel of a row and of a column is enough to count colours


def expect_looks(browser, url, name, home, folder=FOLDER):
    """Checks a page, wide in light colours and narrow in dark ones, and keeps the screenshots.

    `home` is how all addresses begin that the page may ask for.
    """
    for width, scheme in LOOKS:
        with browser.tab(width=width, dark=scheme == "dark") as tab:
            tab.show(url)
            assert tab.await_true(IN_SCHEME[scheme], SECONDS), f"{name}: is not {scheme}"
            assert tab.beyond_pixels() == 0, f"{name}: wider than {width} px"
            elsewhere = [one for one in tab.requests() if not one.startswith((home, "data:"))]
            assert not elsewhere, f"{name}: asks for {elsewhere}"
            assert tab.evaluate(HIGHEST_ROW) <= MOST_PIXELS_OF_A_ROW, (
                f"{name}: a row is {tab.evaluate(HIGHEST_ROW)} px high"
            )
            assert not tab.problems(), f"{name}: {tab.problems()}"
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{name}-{scheme}-{width}.png"
            tab.screenshot(path, most_height=MOST_PIXELS)
            expect_image(path, width)


def expect_image(path, width):
    """Checks the width of an image, and that it shows more than a background."""
    image = imread(path)
    assert image.shape[1] == width, f"{path.name}: {image.shape[1]} px wide"
    colours = np.unique(image[::STEP, ::STEP].reshape(-1, image.shape[2]), axis=0)
    assert len(colours) >= LEAST_COLOURS, f"{path.name}: {len(colours)} colours"
