"""The policy of a bucket: statements of who may, or may not, do what, and when.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html

`document` reads one and is the setting; what each part of a statement says is in a file of its own.
"""
