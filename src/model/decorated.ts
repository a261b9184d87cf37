/**
 * The target, with the members of `own` in front of it. All other members are the target's, so that a decorator never
 * loses one. The target must not be frozen.
 */
export function decorated<Target extends object>(target: Target, own: Partial<Target>): Target {
  return new Proxy(target, {
    get: (_, key): unknown => {
      const holder: object = Object.hasOwn(own, key) ? own : target;
      const member: unknown = Reflect.get(holder, key, holder);
      // Bound, since a method with private fields works on its own object only.
      return typeof member === 'function' ? member.bind(holder) : member;
    },
  });
}
