"""Losses of training, distillation and self-training, and where they apply.

Every loss is a mean, so its strength depends neither on the batch nor on the number of devices, and every one
takes weights per pixel where that makes sense. What each is a mean over:

- cross-entropy, symmetric cross-entropy, soft cross-entropy, logit KL, BCE of contours: pixels, by weight;
- dice (classes and contours): classes, of sums over the global batch;
- feature MSE, feature direction: named features, of cells by weight (MSE: and channels);
- channel-wise distillation: images with any weight, and channels;
- relation loss: pairs of cells drawn in an image.

The one exception is ``pixelwise_distillation``, 8 times a mean: the released recipe sums over its batch of 8.
"""
