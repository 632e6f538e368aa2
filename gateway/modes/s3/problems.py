"""Errors that are the S3 protocol's own, and the one table of S3's error codes.

What a store refuses is a `StorageError` and is translated by this mode's
`errors.py`; what the protocol itself refuses (a signature, a header, a chunk)
is raised as `S3Problem`. Both find their status and text here.
"""

from __future__ import annotations

from collections.abc import Mapping

TABLE: Mapping[str, tuple[int, str]] = {
    # who is asking
    "AccessDenied": (403, "Access Denied"),
    "AccessForbidden": (403, "CORSResponse: This CORS request is not allowed."),
    "SignatureDoesNotMatch": (
        403,
        "The request signature we calculated does not match the signature you provided."
        " Check your key and signing method.",
    ),
    "InvalidAccessKeyId": (
        403,
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    "RequestTimeTooSkewed": (
        403,
        "The difference between the request time and the current time is too large.",
    ),
    "AuthorizationHeaderMalformed": (400, "The authorization header you provided is invalid."),
    "AuthorizationQueryParametersError": (
        400,
        "The authorization query parameters that you provided are not valid.",
    ),
    "MissingSecurityHeader": (400, "Your request was missing a required header."),
    "InvalidToken": (400, "The provided token is malformed or otherwise invalid."),
    "InvalidTargetBucketForLogging": (
        400,
        "The target bucket for logging does not exist, is not owned by you, or does not have the"
        " appropriate grants for the log-delivery group.",
    ),
    # how it is asked
    "InvalidRequest": (400, "Invalid Request"),
    "BadRequest": (400, "Bad Request"),
    "InvalidRedirectLocation": (
        400,
        "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
    ),
    "InvalidArgument": (400, "Invalid Argument"),
    "InvalidURI": (400, "Couldn't parse the specified URI."),
    "InvalidBucketName": (400, "The specified bucket is not valid."),
    "KeyTooLongError": (400, "Your key is too long"),
    "RequestHeaderSectionTooLarge": (
        400,
        "Your request header section exceeds the maximum allowed size.",
    ),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "NotImplemented": (
        501,
        "A header you provided implies functionality that is not implemented",
    ),
    "MalformedXML": (
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    "MalformedACLError": (
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    "MalformedPOSTRequest": (
        400,
        "The body of your POST request is not well-formed multipart/form-data.",
    ),
    "MaxPostPreDataLengthExceeded": (
        400,
        "Your POST request fields preceeding the upload file was too large.",
    ),
    "InvalidPolicyDocument": (
        400,
        "The content of the form does not meet the conditions specified in the policy document.",
    ),
    "MalformedPolicy": (400, "Policies must be valid JSON"),
    "UnexpectedContent": (400, "This request does not support content"),
    "UnresolvableGrantByEmailAddress": (
        400,
        "The email address you provided does not match any account on record.",
    ),
    "AccessControlListNotSupported": (400, "The bucket does not allow ACLs"),
    "InvalidBucketAclWithObjectOwnership": (
        400,
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    ),
    "InvalidStorageClass": (400, "The storage class you specified is not valid"),
    "InvalidLocationConstraint": (400, "The specified location-constraint is not valid"),
    "IllegalLocationConstraintException": (
        400,
        "The location constraint is incompatible for the region specific endpoint this request"
        " was sent to.",
    ),
    "KMS.NotFoundException": (400, "The key does not exist."),
    "KMS.DisabledException": (400, "The key is disabled."),
    "InvalidEncryptionAlgorithmError": (
        400,
        "The encryption request you specified is not valid.",
    ),
    "InvalidTag": (400, "The tag provided was not a valid tag."),
    "MetadataTooLarge": (
        400,
        "Your metadata headers exceed the maximum allowed metadata size",
    ),
    "MaxMessageLengthExceeded": (400, "Your request was too big."),
    # bodies
    "MissingContentLength": (411, "You must provide the Content-Length HTTP header."),
    "MissingRequestBodyError": (400, "Request Body is empty"),
    "IncompleteBody": (
        400,
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    ),
    "InvalidChunkSizeError": (
        400,
        "Only the last chunk is allowed to have a size less than 8192 bytes",
    ),
    "MalformedTrailerError": (
        400,
        "The request contained trailing data that was not well-formed or did not conform to our"
        " published schema.",
    ),
    "XAmzContentSHA256Mismatch": (
        400,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    ),
    "InvalidDigest": (400, "The Content-MD5 you specified was invalid."),
    "BadDigest": (400, "The Content-MD5 you specified did not match what we received."),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed size"),
    "EntityTooSmall": (
        400,
        "Your proposed upload is smaller than the minimum allowed size",
    ),
    # uploads in parts
    "InvalidPart": (
        400,
        "One or more of the specified parts could not be found.  The part may not have been"
        " uploaded, or the specified entity tag may not match the part's entity tag.",
    ),
    "InvalidPartOrder": (
        400,
        "The list of parts was not in ascending order. Parts must be ordered by part number.",
    ),
    "InvalidPartNumber": (416, "The requested partnumber is not satisfiable"),
    # what is there
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchVersion": (404, "The specified version does not exist."),
    "NoSuchUpload": (
        404,
        "The specified multipart upload does not exist. The upload ID may be invalid, or the"
        " upload may have been aborted or completed.",
    ),
    "NoSuchAnnotation": (404, "The specified annotation does not exist on this object."),
    "AnnotationNameTooLong": (400, "The annotation name exceeds 512 bytes."),
    "AnnotationLimitExceeded": (
        400,
        "The request would exceed the maximum number of annotations allowed per object.",
    ),
    "InvalidAnnotationName": (400, "The annotation name you provided is invalid."),
    "InvalidPrefix": (400, "The annotation prefix you provided is invalid."),
    "UnsupportedMediaType": (
        415,
        "The annotation payload is not valid UTF-8 encoded text.",
    ),
    "NoSuchTagSet": (404, "The TagSet does not exist"),
    "NoSuchBucketPolicy": (404, "The bucket policy does not exist"),
    "NoSuchCORSConfiguration": (404, "The CORS configuration does not exist"),
    "NoSuchLifecycleConfiguration": (404, "The lifecycle configuration does not exist"),
    "NoSuchWebsiteConfiguration": (
        404,
        "The specified bucket does not have a website configuration",
    ),
    "NoSuchObjectLockConfiguration": (
        404,
        "The specified object does not have a ObjectLock configuration",
    ),
    "ObjectLockConfigurationNotFoundError": (
        404,
        "Object Lock configuration does not exist for this bucket",
    ),
    "NoSuchPublicAccessBlockConfiguration": (
        404,
        "The public access block configuration was not found",
    ),
    "OwnershipControlsNotFoundError": (404, "The bucket ownership controls were not found"),
    "ServerSideEncryptionConfigurationNotFoundError": (
        404,
        "The server side encryption configuration was not found",
    ),
    "NoSuchConfiguration": (404, "The specified configuration does not exist."),
    "MetadataConfigurationNotFound": (404, "The metadata configuration was not found"),
    "ReplicationConfigurationNotFoundError": (
        404,
        "The replication configuration was not found",
    ),
    "BucketAlreadyExists": (
        409,
        "The requested bucket name is not available. The bucket namespace is shared by all users"
        " of the system. Please select a different name and try again.",
    ),
    "BucketAlreadyOwnedByYou": (
        409,
        "Your previous request to create the named bucket succeeded and you already own it.",
    ),
    "BucketNotEmpty": (409, "The bucket you tried to delete is not empty"),
    "InvalidBucketState": (
        409,
        "The request is not valid with the current state of the bucket.",
    ),
    "InvalidObjectState": (403, "The operation is not valid for the object's storage class"),
    "TooManyConfigurations": (
        400,
        "You are attempting to create a new configuration but have already reached the limit.",
    ),
    "OperationAborted": (
        409,
        "A conflicting conditional operation is currently in progress against this resource."
        " Try again.",
    ),
    "PreconditionFailed": (
        412,
        "At least one of the pre-conditions you specified did not hold",
    ),
    "NotModified": (304, "Not Modified"),
    "UnprocessableEntity": (422, "What is stored cannot be changed as was asked."),
    "InvalidRange": (416, "The requested range is not satisfiable"),
    # the server
    "ServiceUnavailable": (503, "Service is unable to handle request."),
    "UpstreamDenied": (502, "The upstream behind this bucket refuses the gateway's credentials."),
    "SlowDown": (503, "Please reduce your request rate."),
    "InternalError": (500, "We encountered an internal error. Please try again."),
    "InsufficientStorage": (507, "There is no space left to store the object."),
    "QuotaExceeded": (403, "The quota of the bucket is reached."),
}


class S3Problem(Exception):
    """The protocol refuses a request. `extra` are additional elements of the error's XML.

    Raises KeyError for a code that `TABLE` does not have: that is a mistake here.
    """

    def __init__(self, code: str, message: str = "", **extra: str) -> None:
        self.code = code
        self.status, default = TABLE[code]
        self.message = message or default
        self.extra: Mapping[str, str] = extra
        super().__init__(f"{code}: {self.message}")


_LONGEST_ADVICE = 500
"""Characters: documents have long names and texts, too."""


def malformed(advice: str, code: str = "MalformedXML") -> S3Problem:
    """A document that is not as S3 has it: AWS's text tells nobody what is wrong where, so
    `advice` does."""
    return S3Problem(code, Advice=advice[:_LONGEST_ADVICE])
