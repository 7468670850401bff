"""From the model's frames to the source's size: upsampling, deflickering, flat parts."""
