/** How many bytes of a body have passed. Whoever moves the bytes says where the number is; it is read on demand. */
export class ByteMeter {
  #bytes: () => number = () => 0;

  get bytes(): number {
    return this.#bytes();
  }

  follow(bytes: () => number): void {
    this.#bytes = bytes;
  }
}
