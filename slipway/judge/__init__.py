"""The judge: decides about candidates by sequential evidence instead of one threshold per minute."""
