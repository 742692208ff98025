"""What happens to intensities before learning."""
