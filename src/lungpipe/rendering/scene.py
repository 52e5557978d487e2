"""The scene: lungs as a volume, their hull, nodules as spheres, heat maps; drawn by VTK without a screen."""

import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungpipe.explain.heat_colours import heat_colours
from lungpipe.geometry import Grid
from lungpipe.rendering.chest import Chest
from lungpipe.rendering.marks import Mark, malignancy_colour
from lungpipe.rendering.transfer import Transfer

EXPECTED_EXTRA = "rendering: expected the packages of the extra viz (pip install -e '.[viz]'), found no VTK"
BACKGROUND = (1.0, 1.0, 1.0)
HULL_COLOUR, HULL_OPACITY = (0.35, 0.55, 0.85), 0.10
HEAT_OPACITY = 0.12
"""Opacity per mm where a heat map is 1."""
HEAT_FLOOR = 0.6
"""Heat maps are clear up to this value: the scene shows where a map is high."""
SMALLEST_MARK_MM = 3.0
COARSE_BELOW_MM = 10.0
"""Smaller outlines have fewer lines, so that the heat map is seen between the lines."""
ZOOM = 1.35
"""Beyond the camera distance at which the sphere around all things fills the picture."""

if sys.platform == "linux" and not os.environ.get("DISPLAY"):
    # without a screen VTK would try X first and print a warning
    os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
try:
    import vtkmodules.vtkRenderingOpenGL2
    import vtkmodules.vtkRenderingVolumeOpenGL2  # noqa: F401 - registers the drawing of volumes
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPiecewiseFunction
    from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D
    from vtkmodules.vtkFiltersSources import vtkSphereSource
    from vtkmodules.vtkRenderingCore import (
        vtkActor,
        vtkColorTransferFunction,
        vtkPolyDataMapper,
        vtkRenderer,
        vtkRenderWindow,
        vtkVolume,
        vtkVolumeProperty,
        vtkWindowToImageFilter,
    )
    from vtkmodules.vtkRenderingVolume import vtkFixedPointVolumeRayCastMapper
except ModuleNotFoundError as error:
    if not str(error.name).startswith("vtk"):
        raise
    raise ModuleNotFoundError(EXPECTED_EXTRA, name="vtkmodules") from None


class Scene:
    """A scene in world coordinates (LPS mm), seen from the front, with the head up.

    Volumes are drawn by ray casting on the processor, which needs no graphics card and gives the same picture
    everywhere.
    """

    def __init__(self, size_pixels: int = 640) -> None:
        """Open a window off the screen, `size_pixels` wide and high."""
        self._renderer = vtkRenderer()
        self._renderer.SetBackground(*BACKGROUND)
        cullers = self._renderer.GetCullers()
        cullers.InitTraversal()
        # volumes are drawn in the order in which they were added, from every side
        cullers.GetNextItem().SetSortingStyleToNone()
        self._window = vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetMultiSamples(0)
        self._window.SetSize(size_pixels, size_pixels)
        self._window.AddRenderer(self._renderer)

    def add_lungs(self, chest: Chest, transfer: Transfer) -> None:
        """Add the volume of the lungs, and their hull as a faint surface for orientation."""
        self._add_volume(_image(chest.shown_hu(transfer.name), chest.grid), _lung_property(transfer))
        if chest.lungs is not None:
            self._add_hull(chest)

    def add_marks(self, marks: Sequence[Mark], *, is_outlined: bool = False) -> None:
        """Add a sphere for each nodule, in the colour of its malignancy; with `is_outlined` a sphere of lines."""
        for mark in marks:
            sphere = vtkSphereSource()
            z, y, x = mark.center_zyx_mm
            sphere.SetCenter(x, y, z)
            sphere.SetRadius(max(mark.diameter_mm, SMALLEST_MARK_MM) / 2.0)
            sides = _outline_sides(mark) if is_outlined else 32
            sphere.SetThetaResolution(sides)
            sphere.SetPhiResolution(sides)
            actor = _actor(sphere)
            look = actor.GetProperty()
            look.SetColor(*malignancy_colour(mark.malignancy))
            look.SetAmbient(0.35)
            if is_outlined:
                look.SetRepresentationToWireframe()
            self._renderer.AddActor(actor)

    def add_heat(self, heat: NDArray[np.float32], grid: Grid) -> None:
        """Add a heat map (0 to 1, zyx) on an axis-aligned grid, drawn over the lungs; yellow is low, red is high."""
        opacity, colour, look = vtkPiecewiseFunction(), vtkColorTransferFunction(), vtkVolumeProperty()
        for share in (0.0, HEAT_FLOOR, 1.0):
            opacity.AddPoint(255.0 * share, 0.0 if share < 1.0 else HEAT_OPACITY)
        for share in np.linspace(0.0, 1.0, 6):
            colour.AddRGBPoint(255.0 * share, *heat_colours(share))
        look.SetScalarOpacity(opacity)
        look.SetColor(colour)
        look.SetInterpolationTypeToLinear()
        look.ShadeOff()
        self._add_volume(_image(np.rint(255.0 * np.clip(heat, 0.0, 1.0)).astype(np.uint8), grid), look)

    def look_from(self, angle_deg: float) -> None:
        """Turn the camera around the body's axis: 0 is the front, 90 the patient's left, 180 the back."""
        bounds = self._renderer.ComputeVisiblePropBounds()
        middle = [(bounds[2 * axis] + bounds[2 * axis + 1]) / 2.0 for axis in range(3)]
        angle = np.deg2rad(angle_deg)
        camera = self._renderer.GetActiveCamera()
        camera.SetFocalPoint(*middle)
        camera.SetPosition(middle[0] + np.sin(angle), middle[1] - np.cos(angle), middle[2])
        camera.SetViewUp(0.0, 0.0, 1.0)
        self._renderer.ResetCamera()
        camera.Zoom(1.0)
        camera.Dolly(ZOOM)
        self._renderer.ResetCameraClippingRange()

    def draw(self, angle_deg: float = 0.0) -> NDArray[np.uint8]:
        """Return the picture from an angle (see `look_from`) as RGB (rows, columns, 3)."""
        self.look_from(angle_deg)
        self._window.Render()
        reader = vtkWindowToImageFilter()
        reader.SetInput(self._window)
        reader.ReadFrontBufferOff()
        reader.Update()
        image = reader.GetOutput()
        width, height, _ = image.GetDimensions()
        pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)
        return np.ascontiguousarray(pixels[::-1, :, :3])

    def _add_volume(self, image: Any, look: Any) -> None:
        mapper = vtkFixedPointVolumeRayCastMapper()
        mapper.SetInputData(image)
        # the same picture on a slow machine: no sampling that depends on the time a picture takes
        mapper.SetAutoAdjustSampleDistances(False)
        mapper.SetImageSampleDistance(1.0)
        mapper.SetSampleDistance(0.7 * min(image.GetSpacing()))
        volume = vtkVolume()
        volume.SetMapper(mapper)
        volume.SetProperty(look)
        self._renderer.AddVolume(volume)

    def _add_hull(self, chest: Chest) -> None:
        from scipy import ndimage

        edges = vtkFlyingEdges3D()
        edges.SetInputData(_image(ndimage.gaussian_filter(chest.lungs, 1.5), chest.grid))
        edges.SetValue(0, 0.5)
        edges.ComputeNormalsOn()
        actor = _actor(edges)
        look = actor.GetProperty()
        look.SetColor(*HULL_COLOUR)
        look.SetOpacity(HULL_OPACITY)
        self._renderer.AddActor(actor)


def _outline_sides(mark: Mark) -> int:
    return 6 if mark.diameter_mm < COARSE_BELOW_MM else 12


def _image(array: NDArray[np.generic], grid: Grid) -> Any:
    """Return VTK's image of an array (zyx) on an axis-aligned grid; VTK orders positions x, y, z."""
    image = vtkImageData()
    image.SetDimensions(*grid.size_xyz)
    image.SetSpacing(*grid.spacing_xyz_mm)
    image.SetOrigin(*grid.origin_xyz_mm)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True))
    return image


def _lung_property(transfer: Transfer) -> Any:
    opacity, colour, look = vtkPiecewiseFunction(), vtkColorTransferFunction(), vtkVolumeProperty()
    for hu, value in transfer.opacity:
        opacity.AddPoint(hu, value)
    for hu, rgb in transfer.colours:
        colour.AddRGBPoint(hu, *rgb)
    if transfer.gradient:
        gradient = vtkPiecewiseFunction()
        for change, factor in transfer.gradient:
            gradient.AddPoint(change, factor)
        look.SetGradientOpacity(gradient)
    look.SetScalarOpacity(opacity)
    look.SetColor(colour)
    look.SetInterpolationTypeToLinear()
    look.SetScalarOpacityUnitDistance(1.0)
    look.ShadeOn()
    look.SetAmbient(0.45)
    look.SetDiffuse(0.7)
    look.SetSpecular(0.1)
    return look


def _actor(source: Any) -> Any:
    mapper = vtkPolyDataMapper()
    mapper.SetInputConnection(source.GetOutputPort())
    mapper.ScalarVisibilityOff()
    actor = vtkActor()
    actor.SetMapper(mapper)
    return actor
