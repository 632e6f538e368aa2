"""Uploads by browsers' forms: their fields, who signed them, and what their policy allows.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
"""
