"""Charts of the report page, as SVG that follows the page's colours in light and dark."""
