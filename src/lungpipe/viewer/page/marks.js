// What is drawn above the voxels: crosshair, rings around candidates, letters of directions, a scale, the slice's number.

const RING_MARGIN_MM = 3;
const DEFAULT_DIAMETER_MM = 10;
const CROSSHAIR_GAP = 12;

class Marks {
  constructor(view) {
    this.view = view;
    this.canvas = view.pane.querySelector("canvas.marks");
  }

  draw(state) {
    const { clientWidth: width, clientHeight: height } = this.view.pane;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const drawing = this.canvas.getContext("2d");
    drawing.scale(ratio, ratio);
    drawing.font = "12px system-ui, sans-serif";
    if (state.hasRings) for (const candidate of state.shown) this.drawRing(drawing, candidate, state);
    if (state.hasCrosshair) this.drawCrosshair(drawing, state.index, width, height);
    this.drawFrame(drawing, state.index, width, height);
  }

  drawRing(drawing, candidate, { index, selected }) {
    const radius = (candidate.diameter_mm ?? DEFAULT_DIAMETER_MM) / 2 + RING_MARGIN_MM;
    const distance = this.view.distance(candidate.index, index);
    if (distance > radius) return;
    const [x, y] = this.view.toPixel(candidate.index);
    const pixels = Math.max(Math.sqrt(radius * radius - distance * distance) / this.view.mmPerPixel, 4);
    const isSelected = candidate === selected;
    drawing.strokeStyle = isSelected ? "#5ef1a5" : "#ffb81a";
    drawing.lineWidth = isSelected ? 2 : 1.25;
    drawing.beginPath();
    drawing.arc(x, y, pixels, 0, 2 * Math.PI);
    drawing.stroke();
    const score = candidate.probability === null ? "" : ` ${candidate.probability.toFixed(2)}`;
    this.write(drawing, `${candidate.number}${score}`, x + pixels * 0.72 + 3, y - pixels * 0.72 - 2, drawing.strokeStyle);
  }

  drawCrosshair(drawing, index, width, height) {
    const [x, y] = this.view.toPixel(index);
    drawing.strokeStyle = "rgba(255, 92, 92, 0.8)";
    drawing.lineWidth = 1;
    drawing.beginPath();
    for (const [from, to] of [[0, x - CROSSHAIR_GAP], [x + CROSSHAIR_GAP, width]]) {
      drawing.moveTo(from, y);
      drawing.lineTo(to, y);
    }
    for (const [from, to] of [[0, y - CROSSHAIR_GAP], [y + CROSSHAIR_GAP, height]]) {
      drawing.moveTo(x, from);
      drawing.lineTo(x, to);
    }
    drawing.stroke();
  }

  drawFrame(drawing, index, width, height) {
    const { letters } = this.view.plane;
    const [leftLetter, rightLetter, upperLetter, lowerLetter] = letters;
    const colour = "#9fb4c8";
    this.write(drawing, leftLetter, 6, height / 2, colour);
    this.write(drawing, rightLetter, width - 15, height / 2, colour);
    // below the name where both have no room
    this.write(drawing, upperLetter, width / 2 - 4, width < 320 ? 34 : 16, colour);
    this.write(drawing, lowerLetter, width / 2 - 4, height - 8, colour);
    this.write(drawing, `${this.view.name}  ${this.view.geometry.nameSlice(this.view.name, index)}`, 8, 17, "#e6edf3");
    const pixels = 50 / this.view.mmPerPixel;
    drawing.strokeStyle = colour;
    drawing.lineWidth = 2;
    drawing.beginPath();
    drawing.moveTo(10, height - 12);
    drawing.lineTo(10 + pixels, height - 12);
    drawing.stroke();
    this.write(drawing, "5 cm", 12, height - 18, colour);
  }

  write(drawing, text, x, y, colour) {
    drawing.lineWidth = 3;
    drawing.save();
    drawing.strokeStyle = "rgba(0, 0, 0, 0.75)";
    drawing.strokeText(text, x, y);
    drawing.restore();
    drawing.fillStyle = colour;
    drawing.fillText(text, x, y);
  }
}
