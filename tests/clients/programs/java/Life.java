// The AWS SDK for Java, version 2.
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.*;
import software.amazon.awssdk.services.s3.presigner.S3Presigner;

public class Life {
  interface Step { void run() throws Exception; }

  static final String BUCKET = System.getenv("LIFE_BUCKET"), SMALL = "0123456789";
  static final List<String> KEYS = List.of("a b+c/1", "a b+c/é 📁", "d/2");
  static final URI ENDPOINT = URI.create(System.getenv("AWS_ENDPOINT_URL"));
  static boolean failed = false;

  static void step(String name, Step does) {
    try {
      does.run();
      System.out.println(name + ": ok");
    } catch (Throwable error) {
      failed = true;
      error.printStackTrace();
      System.out.println(name + ": failed: " + String.valueOf(error).split("\n")[0]);
    }
  }

  static void same(Object found, Object wanted) {
    if (!found.equals(wanted)) throw new AssertionError(found + " is not " + wanted);
  }

  public static void main(String[] arguments) throws Exception {
    S3Client s3 = S3Client.builder().endpointOverride(ENDPOINT).region(Region.US_EAST_1).forcePathStyle(true)
        .httpClientBuilder(UrlConnectionHttpClient.builder()).build();
    byte[] large = Files.readAllBytes(Path.of(System.getenv("LIFE_LARGE")));

    step("create", () -> s3.createBucket(b -> b.bucket(BUCKET)));
    step("small", () -> {
      for (String key : KEYS) {
        s3.putObject(b -> b.bucket(BUCKET).key(key).metadata(Map.of("color", "blue")), RequestBody.fromString(SMALL));
        var found = s3.getObjectAsBytes(b -> b.bucket(BUCKET).key(key));
        same(found.asUtf8String(), SMALL);
        same(found.response().metadata(), Map.of("color", "blue"));
      }
    });
    step("large", () -> {
      var upload = s3.createMultipartUpload(b -> b.bucket(BUCKET).key("large")).uploadId();
      var parts = new ArrayList<CompletedPart>();
      int size = 5 << 20;
      for (int at = 0, number = 1; at < large.length; at += size, number++) {
        int n = number;
        var piece = Arrays.copyOfRange(large, at, Math.min(at + size, large.length));
        var part = s3.uploadPart(b -> b.bucket(BUCKET).key("large").uploadId(upload).partNumber(n), RequestBody.fromBytes(piece));
        parts.add(CompletedPart.builder().partNumber(n).eTag(part.eTag()).build());
      }
      s3.completeMultipartUpload(b -> b.bucket(BUCKET).key("large").uploadId(upload).multipartUpload(m -> m.parts(parts)));
      var back = s3.getObjectAsBytes(b -> b.bucket(BUCKET).key("large")).asByteArray();
      same(Arrays.equals(back, large), true);
    });
    step("list", () -> {
      var keys = new ArrayList<String>();
      s3.listObjectsV2Paginator(b -> b.bucket(BUCKET).maxKeys(1)).contents().forEach(one -> keys.add(one.key()));
      same(keys, List.of(KEYS.get(0), KEYS.get(1), KEYS.get(2), "large"));
    });
    step("range", () -> same(s3.getObjectAsBytes(b -> b.bucket(BUCKET).key("d/2").range("bytes=2-4")).asUtf8String(), "234"));
    step("copy", () -> {
      s3.copyObject(b -> b.sourceBucket(BUCKET).sourceKey(KEYS.get(1)).destinationBucket(BUCKET).destinationKey("copy"));
      same(s3.getObjectAsBytes(b -> b.bucket(BUCKET).key("copy")).asUtf8String(), SMALL);
    });
    step("versions", () -> {
      s3.putBucketVersioning(b -> b.bucket(BUCKET).versioningConfiguration(v -> v.status(BucketVersioningStatus.ENABLED)));
      var first = s3.putObject(b -> b.bucket(BUCKET).key("v"), RequestBody.fromString("1")).versionId();
      s3.deleteObject(b -> b.bucket(BUCKET).key("v"));
      same(s3.getObjectAsBytes(b -> b.bucket(BUCKET).key("v").versionId(first)).asUtf8String(), "1");
    });
    step("presigned", () -> {
      var style = S3Configuration.builder().pathStyleAccessEnabled(true).build();
      try (var signing = S3Presigner.builder().endpointOverride(ENDPOINT).region(Region.US_EAST_1).serviceConfiguration(style).build()) {
        var url = signing.presignGetObject(b -> b.signatureDuration(Duration.ofMinutes(1)).getObjectRequest(g -> g.bucket(BUCKET).key(KEYS.get(1)))).url();
        same(new String(url.openStream().readAllBytes()), SMALL);
      }
    });
    step("errors", () -> {
      try {
        s3.getObjectAsBytes(b -> b.bucket(BUCKET).key("none"));
      } catch (NoSuchKeyException error) {
        return;
      }
      throw new AssertionError("there is none");
    });
    step("delete", () -> {
      var found = s3.listObjectVersions(b -> b.bucket(BUCKET));
      var named = new ArrayList<ObjectIdentifier>();
      found.versions().forEach(one -> named.add(ObjectIdentifier.builder().key(one.key()).versionId(one.versionId()).build()));
      found.deleteMarkers().forEach(one -> named.add(ObjectIdentifier.builder().key(one.key()).versionId(one.versionId()).build()));
      same(s3.deleteObjects(b -> b.bucket(BUCKET).delete(d -> d.objects(named))).hasErrors(), false);
      s3.deleteBucket(b -> b.bucket(BUCKET));
    });
    System.exit(failed ? 1 : 0);
  }
}
