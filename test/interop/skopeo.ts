/** Global options that make skopeo choose a platform like `linux/arm/v7` out of an index. */
export function skopeoPlatform(platform: string): string[] {
  const [os = '', architecture = '', variant] = platform.split('/');
  const chosen = ['--override-os', os, '--override-arch', architecture];
  return variant === undefined ? chosen : [...chosen, '--override-variant', variant];
}
