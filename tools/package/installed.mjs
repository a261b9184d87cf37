// Takes the entries of the installed package where compiled tests ask for those of the sources.
let user = '';

export function initialize(data) {
  ({ user } = data);
}

export async function resolve(specifier, context, next) {
  const found = await next(specifier, context);
  const [isEntry, room = ''] = /\/build\/src\/((?:server|stages|stores)\/)?index\.js$/.exec(found.url) ?? [];
  if (isEntry === undefined) return found;
  return await next(nameOf(room), { ...context, parentURL: user });
}

function nameOf(room) {
  return `lading/${room}`.replace(/\/$/, '');
}
