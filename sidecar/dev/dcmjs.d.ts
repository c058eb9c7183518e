declare module 'dcmjs' {
  interface DicomDict {
    write(): ArrayBuffer;
  }
  const dcmjs: {
    readonly data: {
      /** `dataset` by keyword, its file meta information under `_meta`. */
      datasetToDict(dataset: Readonly<Record<string, unknown>>): DicomDict;
    };
    readonly log: { setLevel(level: string): void };
  };
  export default dcmjs;
}
