// Unpack the voxels and start the page.

// The end of the address may name a place: #x,y,z in LPS mm.
function followAddress(viewer) {
  const numbers = location.hash.slice(1).split(",").map(Number);
  if (numbers.length === 3 && numbers.every(Number.isFinite)) viewer.goTo(numbers);
}

async function start() {
  const scene = JSON.parse(find("#scene").textContent);
  if (!document.createElement("canvas").getContext("webgl2")) throw new Error("expected a browser with WebGL 2, found none");
  const bar = find("#loading progress");
  const voxels = await decodeVoxels(scene, (done, total) => {
    bar.max = total;
    bar.value = done;
  });
  const viewer = new Viewer(scene, voxels);
  addControls(viewer);
  followAddress(viewer);
  addEventListener("hashchange", () => followAddress(viewer));
  viewer.redraw();
  window.lungpipe = viewer;
  find("#loading").hidden = true;
  requestAnimationFrame(() => requestAnimationFrame(() => document.body.setAttribute("data-ready", "")));
}

start().catch((error) => {
  find("#loading").textContent = `This page cannot be shown: ${error.message}`;
  document.body.setAttribute("data-failed", error.message);
});
