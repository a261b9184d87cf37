/** What clients of the Engine API call the commands of Lading. */
const COMMANDS: Readonly<Record<string, string>> = {
  load: 'docker load',
  save: 'docker save',
  images: 'docker images',
  inspect: 'docker image inspect',
  tag: 'docker tag',
  rm: 'docker rmi',
  prune: 'docker image prune',
  login: 'docker login',
};

/** A text with the commands of docker in place of Lading's, which the reader of an answer may not have. */
export function inDockersWords(text: string): string {
  return text.replaceAll(/\blading (load|save|images|inspect|tag|rm|prune|login)\b/g, (_, command: string) =>
    String(COMMANDS[command]),
  );
}
