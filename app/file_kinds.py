"""The kinds of file that the file dialogs offer, as they take them."""

from __future__ import annotations

from app.project import SUFFIX
from app.scene_file import MAP_SUFFIX

LOSSLESS = "*.png *.bmp *.gif *.tif *.tiff *.webp *.ppm"  # a map whose values can be trusted
IMAGES = f"{LOSSLESS} *.jpg *.jpeg"
OPEN_FILTER = (
    f"Projects and label maps (*{SUFFIX} {LOSSLESS});;Projects (*{SUFFIX});;"
    f"Label maps ({LOSSLESS});;All files (*)"
)
PROJECT_FILTER = f"SDM Studio project (*{SUFFIX})"
MAP_FILTER = f"Label map (*{MAP_SUFFIX})"
PICTURE_FILTERS = (
    "PNG (*.png)",
    "JPEG (*.jpg)",
    "WebP (*.webp)",
    "TIFF with 16 bits (*.tif)",
)
IMPORT_FILTER = f"Label images and layers ({IMAGES} *.ora);;All files (*)"
PHOTO_FILTER = f"Pictures and photos ({IMAGES});;All files (*)"
PALETTE_FILTER = "Palettes (*.toml)"
WEIGHTS_FILTER = "Models (*.safetensors)"
FOREIGN_WEIGHTS_FILTER = "Official SDM and SPADE weights (*.pt *.pth);;All files (*)"
