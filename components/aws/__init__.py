"""Components for AWS resources, imported only by stacks on AWS."""
