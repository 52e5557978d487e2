// Buttons, sliders, keys and the line of text below the planes.

const find = (selector) => document.querySelector(selector);

const KEYS = {
  ArrowUp: (viewer) => viewer.scroll(viewer.active, -1),
  ArrowDown: (viewer) => viewer.scroll(viewer.active, 1),
  PageUp: (viewer) => viewer.scroll(viewer.active, -10),
  PageDown: (viewer) => viewer.scroll(viewer.active, 10),
  n: (viewer) => viewer.selectNext(1),
  p: (viewer) => viewer.selectNext(-1),
  l: (viewer) => viewer.toggle("lungs"),
  m: (viewer) => viewer.toggle("nodules"),
  o: (viewer) => viewer.toggle("hasRings"),
  x: (viewer) => viewer.toggle("hasCrosshair"),
  f: (viewer) => viewer.enlarge(viewer.active),
  z: (viewer) => viewer.zoomTo(viewer.active.zoom > 1 ? 1 : 4),
  r: (viewer) => viewer.resetView(),
  "+": (viewer) => viewer.zoomBy(1.25),
  "-": (viewer) => viewer.zoomBy(0.8),
  "?": () => toggleHelp(),
};

function toggleHelp() {
  const help = find("#help");
  if (help.open) help.close();
  else help.showModal();
}

function addControls(viewer) {
  for (const preset of WINDOWS) {
    const button = document.createElement("button");
    button.innerHTML = `${preset.name} <kbd>${preset.key}</kbd>`;
    button.dataset.window = preset.name;
    button.addEventListener("click", () => viewer.setWindow(preset));
    find("#windows").append(button);
    KEYS[preset.key] = () => viewer.setWindow(preset);
  }
  for (const button of document.querySelectorAll("[data-toggle]")) {
    const name = button.dataset.toggle;
    if (name in viewer.voxels && !viewer.voxels[name]) button.hidden = true;
    button.addEventListener("click", () => viewer.toggle(name));
  }
  const slider = find("#threshold");
  slider.value = viewer.state.threshold;
  slider.disabled = !viewer.table.hasScores;
  slider.addEventListener("input", () => viewer.setThreshold(Number(slider.value)));
  find("#list").hidden = !viewer.candidates.length;
  find("#help-button").addEventListener("click", toggleHelp);
  find("#theme").addEventListener("click", () => {
    const root = document.documentElement;
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isSlider = event.target.matches("input[type=range]") && event.key.startsWith("Arrow");
    const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action || isSlider || (find("#help").open && event.key !== "?")) return;
    event.preventDefault();
    action(viewer);
  });
  new ResizeObserver(() => viewer.redraw()).observe(find("#panes"));
}

function showState(viewer) {
  const { state, scene, voxels, geometry } = viewer;
  const [x, y, z] = viewer.world;
  const place = find("#place");
  place.textContent = `x ${x.toFixed(1)}  y ${y.toFixed(1)}  z ${z.toFixed(1)} mm`;
  Object.assign(place.dataset, { x, y, z });
  find("#hu").textContent = `${voxels.hu[geometry.offsetOf(state.index)]} HU`;
  find("#window").textContent = `level ${Math.round(state.window.level)}, width ${Math.round(state.window.width)}`;
  for (const button of document.querySelectorAll("#windows button")) {
    button.setAttribute("aria-pressed", String(button.dataset.window === state.window.name));
  }
  for (const button of document.querySelectorAll("[data-toggle]")) {
    const name = button.dataset.toggle;
    button.setAttribute("aria-pressed", String(state.layers[name] ?? state[name]));
  }
  find("#threshold").value = state.threshold;
  find("#threshold-value").textContent = state.threshold.toFixed(2);
  const count = scene.candidates.length;
  find("#count").textContent = `${state.shown.length} of ${count} candidate${count === 1 ? "" : "s"}`;
}
