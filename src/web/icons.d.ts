/** The bundler gives the text of the file. */
declare module "*.svg" {
  const source: string;
  export default source;
}
