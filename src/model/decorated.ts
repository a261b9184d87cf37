/**
 * The target, with some members of its own in front of it. Every other member is the target's, also those that its type will
 * have one day, so that a decorator never loses one.
 */
export function decorated<Target extends object>(target: Target, own: Partial<Target>): Target {
  return new Proxy(target, {
    get: (_, key): unknown => {
      const holder: object = Reflect.has(own, key) ? own : target;
      const member: unknown = Reflect.get(holder, key, holder);
      // Bound, since a method with private fields works on its own object only.
      return typeof member === 'function' ? member.bind(holder) : member;
    },
  });
}
