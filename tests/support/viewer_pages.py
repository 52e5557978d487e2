"""What a test reads of a viewer page, and does with it."""


def settle(page):
    """Wait until what was changed is drawn."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def place(page):
    """The position (x, y, z, LPS mm) that the page shows."""
    settle(page)
    return [float(page.get_attribute("#place", f"data-{axis}")) for axis in "xyz"]


def hu(page):
    settle(page)
    return int(page.inner_text("#hu").removesuffix(" HU"))


def numbers(page):
    """The candidates in the visible rows of the table, from above."""
    return [int(row.get_attribute("data-number")) for row in page.query_selector_all("#candidates tbody tr:visible")]


def click(page, plane, right, down):
    """Click in a plane, so many pixels right of and below its middle."""
    box = page.locator(f".pane[data-plane={plane}]").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2 + right, box["y"] + box["height"] / 2 + down)


def slide(page, value):
    page.locator("#threshold").fill(str(value))
    settle(page)
