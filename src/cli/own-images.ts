import type { ImageReport } from '../survey/reports.js';

/** The images, without the signatures and the like that came with them. Those alone are shown as they are. */
export function ownImages(images: readonly ImageReport[]): readonly ImageReport[] {
  const own = images.filter(({ companionOf }) => companionOf === undefined);
  return own.length === 0 ? images : own;
}
