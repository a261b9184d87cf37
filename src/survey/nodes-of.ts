import { groupBy } from '../model/group-by.js';
import type { ImageRecord } from '../model/image-list.js';
import { onceFor } from '../model/once-for.js';
import type { ListedNode, Survey } from './survey-images.js';

/** The nodes of one image, in the order of the walk. All images are told apart once, not for each image again. */
export function nodesOf({ nodes }: Pick<Survey, 'nodes'>, target: ImageRecord): readonly ListedNode[] {
  return nodesByTarget(nodes).get(target) ?? [];
}

const nodesByTarget = onceFor((nodes: readonly ListedNode[]) => groupBy(nodes, ({ node }) => node.target));
