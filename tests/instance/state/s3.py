# Buckets and objects of every kind that peapod captures.
import boto3, json, os
from botocore.config import Config

def client(service, region="us-east-1"):
    return boto3.client(service, region_name=region, config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))

s3 = client("s3")
account = client("sts").get_caller_identity()["Account"]
queue = client("sqs")
url = queue.create_queue(QueueName="s3-events")["QueueUrl"]

s3.create_bucket(Bucket="plain")
s3.create_bucket(Bucket="configured")
client("s3", "eu-west-1").create_bucket(Bucket="european", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
s3.put_bucket_versioning(Bucket="configured", VersioningConfiguration={"Status": "Enabled"})
s3.put_bucket_tagging(Bucket="configured", Tagging={"TagSet": [{"Key": "team", "Value": "a + b"}, {"Key": "stage", "Value": "dev"}]})
s3.put_bucket_cors(Bucket="configured", CORSConfiguration={"CORSRules": [
    {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["https://example.com"], "AllowedHeaders": ["*"], "MaxAgeSeconds": 300},
    {"AllowedMethods": ["HEAD"], "AllowedOrigins": ["*"]}]})
s3.put_bucket_lifecycle_configuration(Bucket="configured", LifecycleConfiguration={"Rules": [
    {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30},
     "Transitions": [{"Days": 10, "StorageClass": "GLACIER"}]},
    {"ID": "versions", "Status": "Disabled", "Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": {"NoncurrentDays": 5}}]})
s3.put_bucket_website(Bucket="configured", WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"}})
s3.put_public_access_block(Bucket="configured", PublicAccessBlockConfiguration={
    "BlockPublicAcls": False, "IgnorePublicAcls": False, "BlockPublicPolicy": False, "RestrictPublicBuckets": False})
s3.put_bucket_policy(Bucket="configured", Policy=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Sid": "read", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "s3:GetObject",
     "Resource": "arn:aws:s3:::configured/*"}]}))
s3.put_bucket_ownership_controls(Bucket="configured", OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]})
s3.put_bucket_notification_configuration(Bucket="plain", NotificationConfiguration={"QueueConfigurations": [
    {"Id": "made", "QueueArn": f"arn:aws:sqs:us-east-1:{account}:s3-events", "Events": ["s3:ObjectCreated:*"],
     "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}]}}}]})

s3.put_object(Bucket="configured", Key="v", Body=b"first")
s3.put_object(Bucket="configured", Key="v", Body=b"second")
s3.put_object(Bucket="configured", Key="gone", Body=b"x")
s3.delete_object(Bucket="configured", Key="gone")
s3.put_object(Bucket="european", Key="e", Body=b"eu")

s3.put_object(Bucket="plain", Key="full", Body=b"%PDF", ContentType="application/pdf", ContentEncoding="gzip", CacheControl="max-age=60",
    ContentDisposition="attachment; filename=\"a b.pdf\"", ContentLanguage="de-AT", Metadata={"owner": "ann", "x-y": "1 2"},
    Tagging="a=1&b=two%20words%2F%2Bmore")
s3.put_object(Bucket="plain", Key="rare", Body=b"r", StorageClass="STANDARD_IA")
s3.put_object(Bucket="plain", Key="empty", Body=b"")
s3.put_object(Bucket="plain", Key="folder/", Body=b"")
s3.put_object(Bucket="plain", Key="folder/small.bin", Body=bytes(range(256)) * 4)
s3.put_object(Bucket="plain", Key="folder/large.bin", Body=bytes(range(256)) * 8192, ContentType="application/octet-stream")
for key in ["a/../b", "a/./b", "../up", "up/..", "/lead", "trail/", "a//b", "//", "sp ace", "plus+", "pct%41", "%2F", "ü/é/日本", "q?x=y", "#h", "a&b=c",
            "t\tab", "quote'\"<>", "\u0001", "x" * 1024, "ü" * 512, "emoji😀", " lead and trail "]:
    try:
        s3.put_object(Bucket="plain", Key=key, Body=key.encode())
    except Exception as error:
        print(f"not made: {key!r}: {error}")
upload = s3.create_multipart_upload(Bucket="plain", Key="parts", ContentType="text/x", Metadata={"m": "p"})["UploadId"]
parts = []
for number, size in [(1, 5 << 20), (2, 7)]:
    part = s3.upload_part(Bucket="plain", Key="parts", UploadId=upload, PartNumber=number, Body=bytes([number]) * size)
    parts.append({"PartNumber": number, "ETag": part["ETag"]})
s3.complete_multipart_upload(Bucket="plain", Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
