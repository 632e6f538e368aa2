// The AWS SDK for JavaScript, version 3.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as sdk from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const Bucket = process.env.LIFE_BUCKET;
const LARGE = readFileSync(process.env.LIFE_LARGE);
const SMALL = "0123456789";
const KEYS = ["a b+c/1", "a b+c/é 📁", "d/2"];
const s3 = new sdk.S3Client({ endpoint: process.env.AWS_ENDPOINT_URL, region: "us-east-1", forcePathStyle: true });
const send = (name, input) => s3.send(new sdk[`${name}Command`]({ Bucket, ...input }));
const text = async (input) => (await send("GetObject", input)).Body.transformToString();
let failed = false;

async function step(name, does) {
  try {
    await does();
    console.log(`${name}: ok`);
  } catch (error) {
    failed = true;
    console.error(error);
    console.log(`${name}: failed: ${error.name}: ${String(error.message).split("\n")[0]}`);
  }
}

await step("create", () => send("CreateBucket"));
await step("small", async () => {
  for (const Key of KEYS) {
    await send("PutObject", { Key, Body: SMALL, Metadata: { color: "blue" } });
    assert.equal(await text({ Key }), SMALL);
    assert.deepEqual((await send("HeadObject", { Key })).Metadata, { color: "blue" });
  }
});
await step("large", async () => {
  await new Upload({ client: s3, params: { Bucket, Key: "large", Body: LARGE } }).done();
  const back = await (await send("GetObject", { Key: "large" })).Body.transformToByteArray();
  assert.ok(LARGE.equals(back));
});
await step("list", async () => {
  const keys = [];
  for await (const page of sdk.paginateListObjectsV2({ client: s3, pageSize: 1 }, { Bucket }))
    keys.push(...page.Contents.map((one) => one.Key));
  assert.deepEqual(keys.sort(), [...KEYS, "large"].sort());
  const found = await send("ListObjectsV2", { Delimiter: "/" });
  assert.deepEqual(found.CommonPrefixes.map((one) => one.Prefix), ["a b+c/", "d/"]);
});
await step("range", async () => assert.equal(await text({ Key: "d/2", Range: "bytes=2-4" }), "234"));
await step("copy", async () => {
  await send("CopyObject", { Key: "copy", CopySource: `${Bucket}/${encodeURIComponent(KEYS[1])}` });
  assert.equal(await text({ Key: "copy" }), SMALL);
});
await step("versions", async () => {
  await send("PutBucketVersioning", { VersioningConfiguration: { Status: "Enabled" } });
  const { VersionId } = await send("PutObject", { Key: "v", Body: "1" });
  await send("PutObject", { Key: "v", Body: "2" });
  await send("DeleteObject", { Key: "v" });
  assert.equal(await text({ Key: "v", VersionId }), "1");
});
await step("presigned", async () => {
  const url = await getSignedUrl(s3, new sdk.PutObjectCommand({ Bucket, Key: "by url" }), { expiresIn: 60 });
  assert.equal((await fetch(url, { method: "PUT", body: SMALL })).status, 200);
  const back = await getSignedUrl(s3, new sdk.GetObjectCommand({ Bucket, Key: "by url" }), { expiresIn: 60 });
  assert.equal(await (await fetch(back)).text(), SMALL);
});
await step("errors", async () => {
  await assert.rejects(send("GetObject", { Key: "none" }), { name: "NoSuchKey" });
  await assert.rejects(send("HeadObject", { Key: "none" }), { name: "NotFound" });
});
await step("delete", async () => {
  const found = await send("ListObjectVersions");
  const Objects = [...(found.Versions ?? []), ...(found.DeleteMarkers ?? [])].map(({ Key, VersionId }) => ({ Key, VersionId }));
  assert.equal((await send("DeleteObjects", { Delete: { Objects } })).Errors, undefined);
  await send("DeleteBucket");
});
process.exit(failed ? 1 : 0);
