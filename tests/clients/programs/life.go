// The AWS SDK for Go, version 2.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

var (
	ctx    = context.Background()
	bucket = aws.String(os.Getenv("LIFE_BUCKET"))
	keys   = []string{"a b+c/1", "a b+c/é 📁", "d/2"}
	small  = "0123456789"
	failed = false
)

func step(name string, does func() error) {
	if err := does(); err != nil {
		failed = true
		fmt.Printf("%s: failed: %s\n", name, strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	fmt.Printf("%s: ok\n", name)
}

func all(answer *s3.GetObjectOutput, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	return string(data), err
}

func is(found string, err error, wanted string) error {
	if err == nil && found != wanted {
		return fmt.Errorf("found %d bytes, wanted %d", len(found), len(wanted))
	}
	return err
}

func main() {
	given, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		panic(err)
	}
	client := s3.NewFromConfig(given, func(o *s3.Options) { o.UsePathStyle = true })
	large, err := os.ReadFile(os.Getenv("LIFE_LARGE"))
	if err != nil {
		panic(err)
	}
	get := func(key string) (string, error) {
		return all(client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: &key}))
	}

	step("create", func() error {
		_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket})
		return err
	})
	step("small", func() error {
		for _, key := range keys {
			_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader(small)})
			if err != nil {
				return err
			}
			found, err := get(key)
			if err := is(found, err, small); err != nil {
				return err
			}
		}
		return nil
	})
	step("large", func() error {
		_, err := manager.NewUploader(client).Upload(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("large"), Body: bytes.NewReader(large)})
		if err != nil {
			return err
		}
		back := manager.NewWriteAtBuffer(nil)
		_, err = manager.NewDownloader(client).Download(ctx, back, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("large")})
		return is(string(back.Bytes()), err, string(large))
	})
	step("list", func() error {
		pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: bucket, MaxKeys: aws.Int32(1)})
		count := 0
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return err
			}
			count += len(page.Contents)
		}
		if count != len(keys)+1 {
			return fmt.Errorf("%d keys", count)
		}
		return nil
	})
	step("range", func() error {
		found, err := all(client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("d/2"), Range: aws.String("bytes=2-4")}))
		return is(found, err, "234")
	})
	step("copy", func() error {
		_, err := client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: aws.String("copy"), CopySource: aws.String(*bucket + "/d/2")})
		if err != nil {
			return err
		}
		found, err := get("copy")
		return is(found, err, small)
	})
	step("versions", func() error {
		on := &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}
		if _, err := client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: bucket, VersioningConfiguration: on}); err != nil {
			return err
		}
		key := aws.String("v")
		first, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader("1")})
		if err != nil {
			return err
		}
		if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key}); err != nil {
			return err
		}
		found, err := all(client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key, VersionId: first.VersionId}))
		return is(found, err, "1")
	})
	step("presigned", func() error {
		made, err := s3.NewPresignClient(client).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: &keys[1]})
		if err != nil {
			return err
		}
		answer, err := http.Get(made.URL)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		data, err := io.ReadAll(answer.Body)
		return is(string(data), err, small)
	})
	step("errors", func() error {
		_, err := get("none")
		var missing *types.NoSuchKey
		if !errors.As(err, &missing) {
			return fmt.Errorf("not NoSuchKey: %v", err)
		}
		return nil
	})
	step("delete", func() error {
		found, err := client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: bucket})
		if err != nil {
			return err
		}
		var named []types.ObjectIdentifier
		for _, one := range found.Versions {
			named = append(named, types.ObjectIdentifier{Key: one.Key, VersionId: one.VersionId})
		}
		for _, one := range found.DeleteMarkers {
			named = append(named, types.ObjectIdentifier{Key: one.Key, VersionId: one.VersionId})
		}
		if _, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: named}}); err != nil {
			return err
		}
		_, err = client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket})
		return err
	})
	if failed {
		os.Exit(1)
	}
}
