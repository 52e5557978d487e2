// Three planes of the volume, drawn by vtk.js into one canvas: one renderer per plane, a slice of each array in it.

const LUNG_COLOUR = [0.28, 0.6, 1.0];
const NODULE_COLOUR = [1.0, 0.72, 0.1];
const SLICE_MODES = ["I", "J", "K"];

function makeImage(geometry, values) {
  const image = vtk.Common.DataModel.vtkImageData.newInstance();
  image.setDimensions(...geometry.size);
  image.setSpacing(...geometry.spacing);
  image.getPointData().setScalars(vtk.Common.Core.vtkDataArray.newInstance({ name: "values", values, numberOfComponents: 1 }));
  return image;
}

function makeSlice(image, mode) {
  const mapper = vtk.Rendering.Core.vtkImageMapper.newInstance();
  mapper.setInputData(image);
  mapper.setSlicingMode(vtk.Rendering.Core.vtkImageMapper.SlicingMode[mode]);
  const actor = vtk.Rendering.Core.vtkImageSlice.newInstance();
  actor.setMapper(mapper);
  return { actor, mapper };
}

function colourLabels(actor, [red, green, blue]) {
  const colours = vtk.Rendering.Core.vtkColorTransferFunction.newInstance();
  colours.addRGBPoint(0, red, green, blue);
  colours.addRGBPoint(1, red, green, blue);
  const opacity = vtk.Common.DataModel.vtkPiecewiseFunction.newInstance();
  opacity.addPoint(0, 0);
  opacity.addPoint(1, 1);
  const property = actor.getProperty();
  property.setRGBTransferFunction(0, colours);
  property.setPiecewiseFunction(0, opacity);
  property.setInterpolationTypeToNearest();
  // any label is 1 and more
  property.setColorWindow(1);
  property.setColorLevel(0.5);
}

class PlaneView {
  constructor(name, geometry, images, pane) {
    this.name = name;
    this.pane = pane;
    this.geometry = geometry;
    this.plane = geometry.planes[name];
    this.zoom = 1;
    this.pan = [0, 0]; // mm on the screen, to the right and down
    this.renderer = vtk.Rendering.Core.vtkRenderer.newInstance({ background: [0, 0, 0] });
    this.layers = {};
    const { normal, right, up, rightSign, upSign } = this.plane;
    const towards = [0, 0, 0];
    const [a, b] = [right, up];
    // looking along up x right, so that `right` points to the right of the screen
    towards[normal] = rightSign * upSign * ((b + 1) % 3 === a ? 1 : -1);
    this.towards = towards;
    for (const [layer, image] of Object.entries(images)) {
      const { actor, mapper } = makeSlice(image, SLICE_MODES[normal]);
      if (layer === "hu") {
        actor.getProperty().setInterpolationTypeToLinear();
      } else {
        colourLabels(actor, layer === "lungs" ? LUNG_COLOUR : NODULE_COLOUR);
        // in front of the slice of HU
        const nearer = layer === "lungs" ? 1 : 2;
        actor.setPosition(...towards.map((value) => -nearer * value));
      }
      this.renderer.addActor(actor);
      this.layers[layer] = { actor, mapper };
    }
    const camera = this.renderer.getActiveCamera();
    camera.setParallelProjection(true);
    const viewUp = [0, 0, 0];
    viewUp[up] = upSign;
    camera.setViewUp(...viewUp);
  }

  get extent() {
    const { size, spacing } = this.geometry;
    return [this.plane.right, this.plane.up].map((axis) => size[axis] * spacing[axis]);
  }

  get mmPerPixel() {
    const [width, height] = this.extent;
    const { clientWidth, clientHeight } = this.pane;
    return Math.max(width / clientWidth, height / clientHeight) / this.zoom;
  }

  get center() {
    const { size, spacing } = this.geometry;
    const { right, up, rightSign, upSign } = this.plane;
    const middle = (axis) => ((size[axis] - 1) * spacing[axis]) / 2;
    return [middle(right) - rightSign * this.pan[0], middle(up) + upSign * this.pan[1]];
  }

  // Pixel in the pane (from its upper left corner) of a continuous index.
  toPixel(index) {
    const { right, up, rightSign, upSign } = this.plane;
    const local = this.geometry.toLocal(index);
    const [x, y] = this.center;
    const scale = this.mmPerPixel;
    return [
      this.pane.clientWidth / 2 + (rightSign * (local[right] - x)) / scale,
      this.pane.clientHeight / 2 - (upSign * (local[up] - y)) / scale,
    ];
  }

  // Continuous index at a pixel of the pane, on the slice of `index`.
  fromPixel([pixelX, pixelY], index) {
    const { right, up, rightSign, upSign } = this.plane;
    const { spacing } = this.geometry;
    const [x, y] = this.center;
    const scale = this.mmPerPixel;
    const found = [...index];
    found[right] = (x + rightSign * (pixelX - this.pane.clientWidth / 2) * scale) / spacing[right];
    found[up] = (y - upSign * (pixelY - this.pane.clientHeight / 2) * scale) / spacing[up];
    return found;
  }

  // Distance (mm) of a position from the slice that is shown.
  distance(index, shown) {
    const { normal } = this.plane;
    return Math.abs(index[normal] - Math.round(shown[normal])) * this.geometry.spacing[normal];
  }

  update(index, frame) {
    const { normal, right, up } = this.plane;
    const slice = Math.round(index[normal]);
    for (const { mapper } of Object.values(this.layers)) mapper.setSlice(slice);
    const focus = [0, 0, 0];
    [focus[right], focus[up]] = this.center;
    focus[normal] = slice * this.geometry.spacing[normal];
    const camera = this.renderer.getActiveCamera();
    camera.setFocalPoint(...focus);
    camera.setPosition(...focus.map((value, axis) => value - 100 * this.towards[axis]));
    camera.setParallelScale((this.pane.clientHeight * this.mmPerPixel) / 2);
    camera.setClippingRange(1, 200);
    const box = this.pane.getBoundingClientRect();
    this.renderer.setViewport(
      (box.left - frame.left) / frame.width,
      1 - (box.bottom - frame.top) / frame.height,
      (box.right - frame.left) / frame.width,
      1 - (box.top - frame.top) / frame.height,
    );
  }
}

class Planes {
  constructor(geometry, voxels, container) {
    this.container = container;
    this.images = { hu: makeImage(geometry, voxels.hu) };
    for (const name of ["lungs", "nodules"]) if (voxels[name]) this.images[name] = makeImage(geometry, voxels[name]);
    this.window = vtk.Rendering.Core.vtkRenderWindow.newInstance();
    this.surface = vtk.Rendering.OpenGL.vtkRenderWindow.newInstance();
    this.surface.setContainer(container);
    this.window.addView(this.surface);
    this.views = PLANES.map((name) => {
      const view = new PlaneView(name, geometry, this.images, document.querySelector(`.pane[data-plane=${name}]`));
      this.window.addRenderer(view.renderer);
      return view;
    });
  }

  setWindow(level, width) {
    for (const { layers } of this.views) {
      layers.hu.actor.getProperty().setColorLevel(level);
      layers.hu.actor.getProperty().setColorWindow(width);
    }
  }

  setOpacity(layer, opacity) {
    for (const { layers } of this.views) {
      if (!layers[layer]) continue;
      layers[layer].actor.setVisibility(opacity > 0);
      layers[layer].actor.getProperty().setOpacity(opacity);
    }
  }

  changed(layer) {
    if (this.images[layer]) this.images[layer].modified();
  }

  draw(index) {
    const frame = this.container.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    const size = [Math.round(frame.width * ratio), Math.round(frame.height * ratio)];
    const [width, height] = this.surface.getSize();
    if (width !== size[0] || height !== size[1]) this.surface.setSize(...size);
    for (const view of this.views) view.update(index, frame);
    this.window.render();
  }
}
