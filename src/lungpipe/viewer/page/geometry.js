// Positions: world (LPS mm, xyz), index (continuous, along array axes i j k) and local (index times spacing, mm).

const PLANES = ["axial", "coronal", "sagittal"];

function apply(matrix, [x, y, z]) {
  return matrix.map((row) => row[0] * x + row[1] * y + row[2] * z + row[3]);
}

// Which array axis is nearest to each world axis: the best of the six assignments, so that no axis is used twice.
function matchAxes(toWorld) {
  const length = [0, 1, 2].map((axis) => Math.hypot(...toWorld.map((row) => row[axis])));
  const cosine = (world, axis) => toWorld[world][axis] / length[axis];
  const orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
  const fit = (order) => order.reduce((sum, axis, world) => sum + Math.abs(cosine(world, axis)), 0);
  const axes = orders.reduce((best, order) => (fit(order) > fit(best) + 1e-6 ? order : best));
  return { axes, signs: axes.map((axis, world) => Math.sign(cosine(world, axis))) };
}

// Each plane as radiologists see it: the patient's left on the right of the screen, front or head above.
function describePlanes({ axes: [x, y, z], signs: [left, back, head] }) {
  return {
    axial: { normal: z, right: x, rightSign: left, up: y, upSign: -back, letters: ["R", "L", "A", "P"] },
    coronal: { normal: y, right: x, rightSign: left, up: z, upSign: head, letters: ["R", "L", "H", "F"] },
    sagittal: { normal: x, right: y, rightSign: back, up: z, upSign: head, letters: ["A", "P", "H", "F"] },
  };
}

class Geometry {
  constructor(scene) {
    this.size = scene.size_xyz;
    this.spacing = scene.spacing_xyz_mm;
    this.toWorldMatrix = scene.index_to_world;
    this.toIndexMatrix = scene.world_to_index;
    this.worldToSlice = scene.world_to_slice;
    this.numSlices = scene.num_slices;
    const along = this.worldToSlice.slice(0, 3).map(Math.abs);
    this.slicedPlane = ["sagittal", "coronal", "axial"][along.indexOf(Math.max(...along))];
    this.planes = describePlanes(matchAxes(scene.index_to_world));
  }

  toWorld(index) {
    return apply(this.toWorldMatrix, index);
  }

  toIndex(world) {
    return apply(this.toIndexMatrix, world);
  }

  toLocal(index) {
    return index.map((value, axis) => value * this.spacing[axis]);
  }

  // The slice of the scan (from 1) in the plane of its slices; elsewhere the world position across the plane.
  nameSlice(plane, index) {
    const world = this.toWorld(index);
    if (plane === this.slicedPlane) {
      const [slice] = apply([this.worldToSlice], world);
      return `slice ${Math.min(Math.max(Math.round(slice), 0), this.numSlices - 1) + 1} of ${this.numSlices}`;
    }
    const axis = { sagittal: 0, coronal: 1, axial: 2 }[plane];
    return `${"xyz"[axis]} ${world[axis].toFixed(1)} mm`;
  }

  // The nearest position whose voxel exists.
  clampIndex(index) {
    return index.map((value, axis) => Math.min(Math.max(value, 0), this.size[axis] - 1));
  }

  offsetOf(index) {
    const [i, j, k] = this.clampIndex(index).map(Math.round);
    return (k * this.size[1] + j) * this.size[0] + i;
  }
}
