// The state of the page (position, window, threshold, layers) and what each change redraws.

const WINDOWS = [
  { key: "1", name: "Lung", level: -600, width: 1500 },
  { key: "2", name: "Soft tissue", level: 40, width: 400 },
  { key: "3", name: "Bone", level: 400, width: 1800 },
  { key: "4", name: "Wide", level: 0, width: 3000 },
];
const OPACITIES = { lungs: 0.16, nodules: 0.5 };
const MAX_LABEL = 255; // masks are bytes

class Viewer {
  constructor(scene, voxels) {
    this.scene = scene;
    this.voxels = voxels;
    this.geometry = new Geometry(scene);
    this.candidates = scene.candidates.map((one) => ({ ...one, index: this.geometry.toIndex(one.center_xyz_mm) }));
    this.labels = this.listLabels();
    this.planes = new Planes(this.geometry, voxels, document.querySelector("#voxels"));
    this.marks = this.planes.views.map((view) => new Marks(view));
    this.pointers = this.planes.views.map((view) => new Pointer(view, this));
    this.table = new CandidateTable(document.querySelector("#candidates"), this.candidates, (one) => this.select(one));
    this.state = {
      index: this.geometry.size.map((size) => (size - 1) / 2),
      window: WINDOWS[0],
      threshold: scene.threshold,
      shown: [],
      selected: null,
      hasRings: true,
      hasCrosshair: true,
      layers: { lungs: voxels.lungs !== null, nodules: voxels.nodules !== null },
    };
    this.activate(this.planes.views[0]);
    for (const layer of Object.keys(OPACITIES)) this.showLayer(layer, this.state.layers[layer]);
    this.setWindow(WINDOWS[0]);
    this.setThreshold(scene.threshold);
    if (this.state.shown.length) this.select(this.state.shown[0]);
  }

  // The voxels of each label of the nodule mask, so that a hidden candidate's can be cleared.
  listLabels() {
    const labels = new Map();
    const { nodules } = this.voxels;
    for (let offset = 0; nodules && offset < nodules.length; offset += 1) {
      const label = nodules[offset];
      if (label) {
        if (!labels.has(label)) labels.set(label, []);
        labels.get(label).push(offset);
      }
    }
    return labels;
  }

  get world() {
    return this.geometry.toWorld(this.state.index);
  }

  moveTo(index) {
    this.state.index = this.geometry.clampIndex(index);
    this.redraw();
  }

  scroll(view, step) {
    const index = [...this.state.index];
    index[view.plane.normal] = Math.round(index[view.plane.normal]) + step;
    this.moveTo(index);
  }

  select(candidate) {
    this.state.selected = candidate;
    this.table.mark(candidate);
    this.moveTo(candidate.index);
  }

  // Show a place in the world (x, y, z, LPS mm), and select the candidate whose centre it is.
  goTo(world) {
    const isThere = (one) => Math.hypot(...one.center_xyz_mm.map((value, axis) => value - world[axis])) < 0.1;
    const candidate = this.candidates.find(isThere);
    if (!candidate) return this.moveTo(this.geometry.toIndex(world));
    if (candidate.probability !== null && candidate.probability < this.state.threshold) {
      this.setThreshold(candidate.probability);
    }
    return this.select(candidate);
  }

  selectNext(step) {
    const { shown, selected } = this.state;
    if (!shown.length) return;
    const place = shown.indexOf(selected);
    const next = place < 0 ? 0 : (place + step + shown.length) % shown.length;
    this.select(shown[next]);
  }

  setThreshold(threshold) {
    this.state.threshold = threshold;
    this.state.shown = this.table.filter(threshold);
    if (this.labels.size) {
      const { nodules } = this.voxels;
      const isShown = new Set(this.state.shown.map(({ number }) => number));
      const known = new Set(this.candidates.map(({ number }) => number));
      for (const [label, offsets] of this.labels) {
        // a label without a candidate (of another program's mask) is always shown
        const value = isShown.has(label) || !known.has(label) ? label : 0;
        if (nodules[offsets[0]] !== value) for (const offset of offsets) nodules[offset] = value;
      }
      this.planes.changed("nodules");
    }
    if (this.state.selected && !this.state.shown.includes(this.state.selected)) {
      this.state.selected = null;
      this.table.mark(null);
    }
    this.redraw();
  }

  setWindow({ level, width, name }) {
    this.state.window = { level, width: Math.max(width, 1), name: name ?? null };
    this.planes.setWindow(level, this.state.window.width);
    this.redraw();
  }

  changeWindow(level, width) {
    this.setWindow({ level: this.state.window.level + level, width: this.state.window.width + width });
  }

  showLayer(layer, isShown) {
    if (layer in OPACITIES) this.planes.setOpacity(layer, isShown ? OPACITIES[layer] : 0);
    this.state.layers[layer] = isShown;
    this.redraw();
  }

  toggle(name) {
    if (name in this.state.layers) {
      if (this.voxels[name]) this.showLayer(name, !this.state.layers[name]);
    } else {
      this.state[name] = !this.state[name];
      this.redraw();
    }
  }

  zoomBy(factor) {
    for (const view of this.planes.views) view.zoom = Math.min(Math.max(view.zoom * factor, 1), 20);
    this.redraw();
  }

  // Zoom so that the position stays in the middle of each pane; from 1 on the whole slice is shown.
  zoomTo(factor) {
    for (const view of this.planes.views) {
      view.zoom = Math.min(Math.max(factor, 1), 20);
      view.pan = [0, 0];
      const [x, y] = view.toPixel(this.state.index);
      const scale = view.mmPerPixel;
      if (view.zoom > 1) view.pan = [(view.pane.clientWidth / 2 - x) * scale, (view.pane.clientHeight / 2 - y) * scale];
    }
    this.redraw();
  }

  resetView() {
    this.zoomTo(1);
  }

  activate(view) {
    this.active = view;
    for (const { pane } of this.planes.views) pane.classList.toggle("active", pane === view.pane);
  }

  enlarge(view) {
    const container = document.querySelector("#panes");
    const isLarge = view.pane.classList.contains("large");
    for (const { pane } of this.planes.views) {
      pane.classList.toggle("large", !isLarge && pane === view.pane);
      pane.classList.toggle("away", !isLarge && pane !== view.pane);
    }
    container.classList.toggle("single", !isLarge);
    this.redraw();
  }

  redraw() {
    if (!this.state || this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(() => {
      this.isWaiting = false;
      this.planes.draw(this.state.index);
      for (const marks of this.marks) marks.draw(this.state);
      showState(this);
    });
  }
}
