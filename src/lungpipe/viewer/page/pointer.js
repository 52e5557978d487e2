// Mouse, touch and pen on a pane. Drag: crosshair; with Shift or the middle button: move; with the right button: window.

class Pointer {
  constructor(view, viewer) {
    this.view = view;
    this.viewer = viewer;
    this.touches = new Map();
    const { pane } = view;
    pane.addEventListener("pointerdown", (event) => this.start(event));
    pane.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) pane.addEventListener(name, (event) => this.end(event));
    pane.addEventListener("wheel", (event) => this.scroll(event), { passive: false });
    pane.addEventListener("dblclick", () => viewer.resetView());
    pane.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  place(event) {
    const box = this.view.pane.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  start(event) {
    this.view.pane.setPointerCapture(event.pointerId);
    this.viewer.activate(this.view);
    const place = this.place(event);
    this.touches.set(event.pointerId, place);
    if (this.touches.size === 2) this.action = "pinch";
    else if (event.button === 2) this.action = "window";
    else if (event.button === 1 || event.shiftKey) this.action = "pan";
    else this.action = "crosshair";
    if (this.action === "crosshair") this.viewer.moveTo(this.view.fromPixel(place, this.viewer.state.index));
    event.preventDefault();
  }

  move(event) {
    const before = this.touches.get(event.pointerId);
    if (!before) return;
    const place = this.place(event);
    const [right, down] = [place[0] - before[0], place[1] - before[1]];
    if (this.action === "pinch") this.pinch(event.pointerId, place);
    this.touches.set(event.pointerId, place);
    if (this.action === "crosshair") this.viewer.moveTo(this.view.fromPixel(place, this.viewer.state.index));
    if (this.action === "pan") this.pan(right, down);
    if (this.action === "window") this.viewer.changeWindow(2 * down, 4 * right);
  }

  pinch(identifier, place) {
    const other = [...this.touches].find(([key]) => key !== identifier)?.[1];
    const before = this.touches.get(identifier);
    if (!other) return;
    const length = (from) => Math.hypot(from[0] - other[0], from[1] - other[1]);
    this.viewer.zoomBy(length(place) / Math.max(length(before), 1));
    this.pan((place[0] - before[0]) / 2, (place[1] - before[1]) / 2);
  }

  pan(right, down) {
    const scale = this.view.mmPerPixel;
    this.view.pan = [this.view.pan[0] + right * scale, this.view.pan[1] + down * scale];
    this.viewer.redraw();
  }

  end(event) {
    this.touches.delete(event.pointerId);
    if (!this.touches.size) this.action = null;
  }

  scroll(event) {
    event.preventDefault();
    this.viewer.activate(this.view);
    if (event.ctrlKey || event.metaKey) this.viewer.zoomBy(event.deltaY < 0 ? 1.15 : 1 / 1.15);
    else this.viewer.scroll(this.view, event.deltaY > 0 ? 1 : -1);
  }
}
