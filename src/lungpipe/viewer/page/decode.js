// Voxels of the page: base64 text of raw deflate streams, one per slab of slices and array.

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let index = 0; index < raw.length; index += 1) bytes[index] = raw.charCodeAt(index);
  return bytes;
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// HU: low bytes, then high bytes, of zigzag-coded differences to the voxel before in the row.
function restoreHu(bytes, target, rowLength) {
  const count = target.length;
  let before = 0;
  for (let index = 0; index < count; index += 1) {
    if (index % rowLength === 0) before = 0;
    const code = bytes[index] | (bytes[count + index] << 8);
    before = ((before + ((code >>> 1) ^ -(code & 1))) << 16) >> 16;
    target[index] = before;
  }
}

// Fill the arrays {hu, lungs, nodules} (arrays that the page lacks are null); `onPart(done, total)` after each slab.
async function decodeVoxels(scene, onPart) {
  const [width, height, depth] = scene.size_xyz;
  const sliceLength = width * height;
  const voxels = { hu: new Int16Array(sliceLength * depth), lungs: null, nodules: null };
  for (const name of scene.masks) voxels[name] = new Uint8Array(sliceLength * depth);
  const parts = [...document.querySelectorAll("script[data-array]")];
  let done = 0;
  for (const part of parts) {
    const { array, first, count } = part.dataset;
    const bytes = await inflate(fromBase64(part.textContent));
    const start = Number(first) * sliceLength;
    const target = voxels[array].subarray(start, start + Number(count) * sliceLength);
    if (array === "hu") {
      if (bytes.length !== 2 * target.length) throw new Error(`slice ${first}: expected ${2 * target.length} bytes, found ${bytes.length}`);
      restoreHu(bytes, target, width);
    } else {
      target.set(bytes);
    }
    part.remove(); // its text takes as much memory as the voxels
    done += 1;
    onPart(done, parts.length);
  }
  return voxels;
}
