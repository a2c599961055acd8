// Looking at a picture in the browser: its size, a thumbnail, its most detailed region, a part of it.

const THUMB = 96;
const MAP = 96;

export const isClip = ({ type }) => Boolean(type?.startsWith("video/"));

// Returns {width, height, thumbnail}, or null for a file that this browser cannot show.
export async function look(blob) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch {
    return isClip(blob) ? (await import("./clip.js")).look(blob) : null;
  }
  const { width, height } = bitmap;
  const side = Math.min(width, height);
  const canvas = new OffscreenCanvas(THUMB, THUMB);
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, (width - side) / 2, (height - side) / 2, side, side, 0, 0, THUMB, THUMB);
  bitmap.close();
  const small = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.7 });
  return { width, height, thumbnail: await dataUrl(small) };
}

function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

// Returns the centre, as parts of width and height, of the window that holds most detail.
export function detailed(bitmap, partAcross, partDown) {
  const shrink = Math.min(1, MAP / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(2, Math.round(bitmap.width * shrink));
  const height = Math.max(2, Math.round(bitmap.height * shrink));
  const pen = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0, width, height);
  const { data } = pen.getImageData(0, 0, width, height);
  const light = (x, y) => {
    const at = 4 * (y * width + x);
    return 2 * data[at] + 4 * data[at + 1] + data[at + 2];
  };
  // sums over everything above and to the left, so that a window's sum is four of them
  const sums = new Float64Array((width + 1) * (height + 1));
  for (let y = 0; y < height; y += 1) {
    let row = 0;
    for (let x = 0; x < width; x += 1) {
      const right = x + 1 < width ? Math.abs(light(x + 1, y) - light(x, y)) : 0;
      const down = y + 1 < height ? Math.abs(light(x, y + 1) - light(x, y)) : 0;
      row += right + down;
      sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + row;
    }
  }
  const across = Math.max(1, Math.min(width, Math.round(width * partAcross)));
  const down = Math.max(1, Math.min(height, Math.round(height * partDown)));
  let best = -1, found = { x: 0.5, y: 0.5 };
  for (let y = 0; y + down <= height; y += 1) {
    for (let x = 0; x + across <= width; x += 1) {
      const sum = sums[(y + down) * (width + 1) + x + across] - sums[y * (width + 1) + x + across]
        - sums[(y + down) * (width + 1) + x] + sums[y * (width + 1) + x];
      if (sum > best) {
        best = sum;
        found = { x: (x + across / 2) / width, y: (y + down / 2) / height };
      }
    }
  }
  return found;
}

// Cuts a part out of a picture, as a PNG.
export async function cut(bitmap, { x, y, width, height }) {
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").drawImage(bitmap, x, y, width, height, 0, 0, width, height);
  return canvas.convertToBlob({ type: "image/png" });
}
