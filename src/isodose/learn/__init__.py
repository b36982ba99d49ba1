"""Networks: data sets, training and inference. All but `layer_image` needs torch, the extra ``learn``."""
