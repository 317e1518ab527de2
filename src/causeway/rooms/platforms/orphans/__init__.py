"""What carries our tags in the cloud and belongs to nobody any more: found, proven, and removed when asked.

The controllers take back what they made; this is for what they can no longer know: a platform whose stack was
deleted by hand, a cloud restored from an old database, a controller that was gone for good. ``gather`` reads,
``judge`` decides (pure), ``remove`` deletes.
"""
