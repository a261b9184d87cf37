/**
 * Returns `make` with a memory: it is called once for each object, and its result lives as long as the object. For what
 * is worked out from a list that never changes, such as a generation of the list of images.
 */
export function onceFor<Key extends object, Value extends object>(make: (key: Key) => Value): (key: Key) => Value {
  const made = new WeakMap<Key, Value>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}
